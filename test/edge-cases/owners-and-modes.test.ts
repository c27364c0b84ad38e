// Who owns what COPY, ADD and WORKDIR make, and with which mode: special bits, USER, --chown, --chmod.

import { openWorkbench, testRows } from "./workbench.ts";

const image = `
d 755 0:0 etc
f 644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh|www:x:33:44:www:/var/www:/bin/sh
f 644 0:0 etc/group root:x:0:|staff:x:50:|www:x:44:
d 750 500:600 existing
d 711 1:1 existing/sub
f 644 1:1 existing/sub/kept K
d 755 0:0 owned
f 4755 100:200 owned/f F
d 700 101:201 owned/d
f 644 102:202 owned/d/n N
l owned/l f
`;

const bench = openWorkbench(async ({ image: put }) => {
  await put("image", [image]);
  await put("other-accounts", ["d 755 0:0 etc\nf 644 0:0 etc/passwd www:x:77:88::/:|only:x:5:6::/:\nf 644 0:0 x X"]);
});

const context = `
d 1777 7:7 special
f 4755 7:8 special/setuid S
f 2755 7:8 special/setgid G
f 1644 7:8 special/sticky T
d 2770 7:8 special/dir
f 640 7:8 f F
d 700 7:8 tree
d 711 7:8 tree/sub
f 755 7:8 tree/sub/x X
f 600 7:8 tree/sub/y Y
l tree/link sub/x
d 755 0:0 onto
d 700 0:0 onto/sub
f 600 0:0 onto/sub/n N
`;

testRows(
  bench,
  [
    {
      what: "7.15 setuid, setgid and sticky bits of the context reach the layer",
      dockerfile: "FROM image\nCOPY special /x",
      gives: ["d 755 0:0 x", "d 2770 0:0 x/dir", "f 2755 0:0 x/setgid G", "f 4755 0:0 x/setuid S", "f 1644 0:0 x/sticky T"],
    },
    {
      what: "7.15 they survive --chown",
      dockerfile: "FROM image\nCOPY --chown=5:6 special /x",
      gives: ["d 755 5:6 x", "d 2770 5:6 x/dir", "f 2755 5:6 x/setgid G", "f 4755 5:6 x/setuid S", "f 1644 5:6 x/sticky T"],
    },
    {
      what: "7.15 what is unpacked has them, the owner notwithstanding",
      dockerfile: "FROM shell\nCOPY --chown=5:6 special /x\nRUN cd /x && stat -c '%a %u:%g %n' dir setgid setuid sticky",
      says: "2770 5:6 dir\n2755 5:6 setgid\n4755 5:6 setuid\n1644 5:6 sticky",
    },
    {
      what: "7.15 and chown in a RUN takes them away, as the kernel does, until chmod follows",
      dockerfile:
        "FROM shell\nCOPY special/setuid special/setgid /x/\nRUN chown 9:9 /x/setuid /x/setgid && chmod 6755 /x/setgid && stat -c %a /x/setuid /x/setgid",
      says: "755\n6755",
      gives: ["d 755 0:0 x", "f 6755 9:9 x/setgid G", "f 755 9:9 x/setuid S"],
    },
    {
      what: "7.16 owners of the context are left behind, whatever USER says",
      dockerfile: "FROM image\nUSER 1000:1000\nCOPY f tree/sub /x/",
      gives: ["d 755 0:0 x", "f 640 0:0 x/f F", "f 755 0:0 x/x X", "f 600 0:0 x/y Y"],
    },
    {
      what: "7.16 with ADD as well",
      dockerfile: "FROM image\nUSER www\nADD f /a/f",
      gives: ["d 755 0:0 a", "f 640 0:0 a/f F"],
    },
    {
      what: "7.16 --from keeps owners and modes",
      dockerfile: "FROM scratch\nUSER 9\nCOPY --from=image /owned /x",
      gives: ["d 755 0:0 x", "d 700 101:201 x/d", "f 644 102:202 x/d/n N", "f 4755 100:200 x/f F", "l x/l f"],
    },
    {
      what: "7.16 directories that WORKDIR makes belong to USER",
      dockerfile: "FROM image\nUSER www\nWORKDIR /w/d",
      gives: ["d 755 33:44 w", "d 755 33:44 w/d"],
    },
    ...Object.entries({
      "1000": "1000:1000",
      "1000:7": "1000:7",
      www: "33:44",
      "www:7": "33:7",
      "7:staff": "7:50",
      "www:staff": "33:50",
      ":staff": "0:50",
      "www:": "33:0",
      "1000:": "1000:0",
      root: "0:0",
      "$who:$group": "33:50",
    }).map(([spec, owner]) => ({
      what: `7.17 --chown=${spec} gives ${owner}`,
      dockerfile: `FROM image\nARG who=www group=staff\nCOPY --chown=${spec} f /x`,
      gives: [`f 640 ${owner} x F`],
    })),
    {
      what: "7.17 a name that the image does not know is 0, with a warning of a check",
      dockerfile: "FROM image\nCOPY --chown=nobody:staff f /x",
      gives: ["f 640 0:50 x F"],
      warns: /^UnknownOwner: --chown: "nobody"/,
    },
    {
      what: "7.17 nor does a group",
      dockerfile: "FROM image\nCOPY --chown=www:wheel f /x",
      gives: ["f 640 33:44 x F"],
      warns: /^UnknownOwner: --chown: "wheel"/,
    },
    {
      what: "7.17 names are those of the image that is built, not of the one that is copied from",
      dockerfile: "FROM image\nCOPY --from=other-accounts --chown=www x /x",
      gives: ["f 644 33:44 x X"],
    },
    {
      what: "7.17 so that a name that the source alone knows is unknown",
      dockerfile: "FROM image\nCOPY --from=other-accounts --chown=only x /x",
      gives: ["f 644 0:0 x X"],
      warns: /"only" is not in the image's accounts/,
    },
    {
      what: "7.17 accounts that the stage itself has made count",
      dockerfile: "FROM shell\nRUN echo 'fresh:x:81:82::/:' >>/etc/passwd\nCOPY --chown=fresh f /x",
      gives: ["f 640 81:82 x F"],
    },
    {
      what: "7.18 --chown reaches parents that are made, and links themselves",
      dockerfile: "FROM image\nCOPY --chown=5:6 tree /a/b/",
      gives: [
        "d 755 5:6 a",
        "d 755 5:6 a/b",
        "l a/b/link sub/x 5:6",
        "d 711 5:6 a/b/sub",
        "f 755 5:6 a/b/sub/x X",
        "f 600 5:6 a/b/sub/y Y",
      ],
    },
    {
      what: "7.18 but not a destination that is there; nested directories on both sides take the source's mode and the new owner",
      dockerfile: "FROM image\nCOPY --chown=5:6 onto /existing",
      gives: ["d 750 500:600 existing", "d 700 5:6 existing/sub", "f 600 5:6 existing/sub/n N"],
    },
    {
      what: "7.18 what was in such a directory stays as it is",
      dockerfile: "FROM image AS made\nCOPY --chown=5:6 onto /existing\nFROM scratch\nCOPY --from=made /existing/sub /x/",
      gives: ["d 755 0:0 x", "f 644 1:1 x/kept K", "f 600 5:6 x/n N"],
    },
    {
      what: "7.19 an octal --chmod reaches directories too, whose x bits go, and no links",
      dockerfile: "FROM image\nCOPY --chmod=644 tree /x",
      gives: ["d 644 0:0 x", "l x/link sub/x", "d 644 0:0 x/sub", "f 644 0:0 x/sub/x X", "f 644 0:0 x/sub/y Y"],
    },
    {
      what: "7.19 a symbolic one with X keeps directories open, and leaves those alone that are made on the way",
      dockerfile: "FROM image\nCOPY --chmod=u=rwX,go=rX tree /a/x",
      gives: ["d 755 0:0 a", "d 755 0:0 a/x", "l a/x/link sub/x", "d 755 0:0 a/x/sub", "f 755 0:0 a/x/sub/x X", "f 644 0:0 a/x/sub/y Y"],
    },
    {
      what: "7.19 it sets special bits",
      dockerfile: "FROM image\nARG mode=4711\nADD --chmod=$mode f /x",
      gives: ["f 4711 0:0 x F"],
    },
    {
      what: "7.19 and refuses what is no mode",
      dockerfile: "FROM image\nCOPY --chmod=10000 f /x",
      fails: /invalid chmod parameter: '10000'. it should be octal string and between 0 and 07777/,
    },
  ],
  context,
);
