// src/image/digest.ts
var pattern = /^sha256:[0-9a-f]{64}$/;
function isDigest(text) {
  return pattern.test(text);
}
function hexOf(digest) {
  return digest.slice("sha256:".length);
}

export {
  isDigest,
  hexOf
};
