// Where the data of a sparse file lies, in the four ways that archives write it.
// See https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html .

import { blockSize, parseNumber } from "./header.ts";
import { type PaxRecords, parseDecimal } from "./pax.ts";
import { MalformedLayerError, type TarSource } from "./source.ts";

/** Pieces of data in ascending order, apart from each other; all else is holes. */
export interface SparseMap {
  /** Bytes of the file with its holes. */
  readonly size: number;
  /** Bytes of data that stand in the archive. */
  readonly stored: number;
  /** Offset and length by turns. */
  readonly pieces: readonly number[];
}

/** Where a map is read from; its own bytes are limited as those of any extended header. */
export interface MapPlace {
  readonly source: TarSource;
  readonly maxHeaderBytes: number;
  /** Bytes that follow the header in the archive, padding aside. */
  readonly stored: number;
}

/** The map of a GNU `S` entry: four pieces in the header, the rest in blocks after it. */
export async function readOldMap(header: Buffer, { source, maxHeaderBytes, stored }: MapPlace): Promise<SparseMap> {
  const size = parseNumber(header, 483, 12, "sparse size");
  const pieces: number[] = [];
  let block = header;
  let [first, count, more] = [386, 4, header[482]];
  for (let bytes = 0; ; bytes += blockSize) {
    if (bytes > maxHeaderBytes) throw new MalformedLayerError(`sparse map of more than ${maxHeaderBytes} bytes`);
    for (let i = 0; i < count; i++) {
      const at = first + i * 24;
      if (block[at] === 0) break;
      pieces.push(parseNumber(block, at, 12, "sparse offset"), parseNumber(block, at + 12, 12, "sparse length"));
    }
    if (!more) return checkMap({ size, stored, pieces });
    block = await mustRead(source);
    [first, count, more] = [0, 21, block[504]];
  }
}

/** The map that PAX records announce, versions 0.0, 0.1 and 1.0; undefined where they announce none. */
export async function readPaxMap({ values, sparsePieces }: PaxRecords, place: MapPlace): Promise<SparseMap | undefined> {
  const version = `${values.get("GNU.sparse.major") ?? ""}.${values.get("GNU.sparse.minor") ?? ""}`;
  const map = values.get("GNU.sparse.map");
  const isOld = version === "0.0" || version === "0.1" || (version === "." && (map !== undefined || sparsePieces.length > 0));
  if (!isOld && version === ".") return undefined;
  const size = values.get("GNU.sparse.size") ?? values.get("GNU.sparse.realsize");
  if (size === undefined) throw new MalformedLayerError("sparse file without size");
  const whole = parseDecimal(size, "sparse size");
  if (isOld) {
    const texts = map === undefined ? sparsePieces : map === "" ? [] : map.split(",");
    return checkMap({ size: whole, stored: place.stored, pieces: texts.map((text) => parseDecimal(text, "sparse map entry")) });
  }
  if (version !== "1.0") throw new MalformedLayerError(`sparse format ${version} is unknown`);
  return readMapInData(whole, place);
}

/** Version 1.0: decimal numbers, a line each, in blocks before the data: the count of pieces, then offsets and lengths. */
async function readMapInData(size: number, { source, maxHeaderBytes, stored }: MapPlace): Promise<SparseMap> {
  const pieces: number[] = [];
  let [rest, wanted, bytes] = ["", -1, 0];
  while (wanted !== pieces.length) {
    bytes += blockSize;
    if (bytes > stored) throw new MalformedLayerError("sparse map is longer than its entry");
    if (bytes > maxHeaderBytes) throw new MalformedLayerError(`sparse map of more than ${maxHeaderBytes} bytes`);
    const lines = (rest + (await mustRead(source)).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (wanted === pieces.length) break;
      const number = parseDecimal(line, "sparse map entry");
      if (wanted < 0) wanted = number * 2;
      else pieces.push(number);
    }
    if (wanted !== pieces.length && rest.length > 20) throw new MalformedLayerError("sparse map is not made of numbers");
  }
  return checkMap({ size, stored: stored - bytes, pieces });
}

async function mustRead(source: TarSource): Promise<Buffer> {
  const block = await source.read(blockSize);
  if (block === undefined) throw new MalformedLayerError("it ends in the middle of a sparse map");
  return block;
}

function checkMap(map: SparseMap): SparseMap {
  let [end, data] = [0, 0];
  if (map.pieces.length % 2 !== 0) throw new MalformedLayerError("sparse map ends in the middle");
  for (let i = 0; i < map.pieces.length; i += 2) {
    const [offset = 0, length = 0] = [map.pieces[i], map.pieces[i + 1]];
    if (offset < end || length < 0 || offset + length > map.size)
      throw new MalformedLayerError("sparse map entries overlap or pass the file's end");
    end = offset + length;
    data += length;
  }
  if (data !== map.stored) throw new MalformedLayerError(`sparse map of ${data} bytes does not match the ${map.stored} bytes stored`);
  return map;
}
