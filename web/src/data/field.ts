/** One labelled array of the bundle: raw numbers and how values are had from them. */
import type { ArrayEntry, DType } from "./manifest";

type Raw =
  Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

const BYTES: Record<DType, number> = {
  float32: 4,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
};

export class Field {
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly scale: number;
  readonly add: number;
  readonly missing: number;
  /** Sizes up to this one are 0 within the packing's error, and are 0. */
  private readonly least: number;

  constructor(
    readonly name: string,
    readonly entry: ArrayEntry,
    readonly raw: Raw,
  ) {
    this.dims = entry.dims;
    this.shape = entry.shape;
    this.strides = strides(entry.shape);
    this.scale = entry.scale;
    this.add = entry.add;
    this.missing = entry.missing ?? Number.NaN;
    this.least = entry.add === 0 ? 0 : entry.error;
  }

  /** Length of a dim; 0 where there is none of that name. */
  size(dim: string): number {
    return this.shape[this.dims.indexOf(dim)] ?? 0;
  }

  /** Value at a place, one index a dim; NaN where it is missing or out of range. */
  at(...index: number[]): number {
    let place = 0;
    for (let k = 0; k < this.shape.length; k++) {
      const i = index[k] ?? 0;
      if (!(i >= 0 && i < (this.shape[k] ?? 0))) return Number.NaN;
      place += i * (this.strides[k] ?? 0);
    }
    return this.flat(place);
  }

  /** Value at a flat place. */
  flat(place: number): number {
    const raw = this.raw[place];
    if (raw === undefined || raw === this.missing) return Number.NaN;
    const value = raw * this.scale + this.add;
    // an offset packing turns 0 into a tiny number of either sign, which a sign would make visible
    return Math.abs(value) <= this.least ? 0 : value;
  }

  /** Value along the first dim between two of its indices; of the one that is there if one is NaN. */
  between(position: number, ...rest: number[]): number {
    const k = Math.floor(position);
    const share = position - k;
    const a = this.at(k, ...rest);
    // at a recorded step the next one is not asked: past the last there is none
    if (share === 0) return a;
    const b = this.at(k + 1, ...rest);
    return Number.isNaN(a) ? b : Number.isNaN(b) ? a : a + share * (b - a);
  }

  /** All values, float64. */
  values(): Float64Array {
    return Float64Array.from({ length: this.raw.length }, (_, k) => this.flat(k));
  }
}

function strides(shape: readonly number[]): number[] {
  const found = shape.map(() => 1);
  for (let k = shape.length - 2; k >= 0; k--) {
    found[k] = (found[k + 1] ?? 1) * (shape[k + 1] ?? 1);
  }
  return found;
}

/** Cut an array out of its blob; null if the blob is too short for it. */
export function field(name: string, entry: ArrayEntry, blob: ArrayBuffer): Field | null {
  const count = entry.shape.reduce((a, b) => a * b, 1);
  const size = BYTES[entry.dtype];
  if (entry.offset % size !== 0 || entry.offset + count * size > blob.byteLength) return null;
  return new Field(name, entry, view(entry.dtype, blob, entry.offset, count));
}

function view(dtype: DType, blob: ArrayBuffer, offset: number, count: number): Raw {
  switch (dtype) {
    case "float32":
      return new Float32Array(blob, offset, count);
    case "int8":
      return new Int8Array(blob, offset, count);
    case "uint8":
      return new Uint8Array(blob, offset, count);
    case "int16":
      return new Int16Array(blob, offset, count);
    case "uint16":
      return new Uint16Array(blob, offset, count);
    case "int32":
      return new Int32Array(blob, offset, count);
    case "uint32":
      return new Uint32Array(blob, offset, count);
  }
}
