/** Unit names ("conv5:17"), their indices on the one axis of units, and the layers they are in. */
import type { Layer } from "./manifest";

/** Image channel k, as a source of couplings, is unit PIXEL - k. */
export const PIXEL = 65535;

export class Units {
  readonly count: number;
  private readonly layerOf: Int16Array;

  constructor(readonly layers: readonly Layer[]) {
    this.count = Math.max(0, ...layers.map((layer) => layer.first + layer.count));
    this.layerOf = new Int16Array(this.count).fill(-1);
    layers.forEach((layer, k) => this.layerOf.fill(k, layer.first, layer.first + layer.count));
  }

  /** Index of the unit's layer; -1 for image channels and unknown units. */
  layer(unit: number): number {
    return this.layerOf[unit] ?? -1;
  }

  channel(unit: number): number {
    return unit > PIXEL - 16 ? PIXEL - unit : unit - (this.layers[this.layer(unit)]?.first ?? 0);
  }

  isPixel(unit: number): boolean {
    return unit > PIXEL - 16 && unit <= PIXEL;
  }

  name(unit: number): string {
    if (this.isPixel(unit)) return `pixels:${PIXEL - unit}`;
    const layer = this.layers[this.layer(unit)];
    return layer ? `${layer.name}:${unit - layer.first}` : "–";
  }

  /** Index of a name; null if there is no such unit. */
  index(name: string): number | null {
    const match = /^(.+):(\d{1,6})$/.exec(name);
    if (!match) return null;
    const channel = Number(match[2]);
    const layer = this.layers.find((one) => one.name === match[1]);
    return layer && channel < layer.count ? layer.first + channel : null;
  }

  /** Index of one end of a coupling: a unit, or a channel of the image. */
  end(name: string): number | null {
    const channel = /^pixels:(\d+)$/.exec(name);
    return channel ? PIXEL - Number(channel[1]) : this.index(name);
  }
}
