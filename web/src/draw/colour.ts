/** Colours: of tokens (Okabe-Ito), of magnitudes (viridis), of signed numbers (blue - orange). */

export type Rgb = readonly [number, number, number];

const OKABE_ITO = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#CC79A7",
  "#D55E00",
  "#56B4E9",
  "#F0E442",
  "#000000",
];

const VIRIDIS: readonly Rgb[] = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];

export const POSITIVE: Rgb = [33, 102, 172];
export const NEGATIVE: Rgb = [217, 95, 2];
const POSITIVE_DARK: Rgb = [96, 165, 235];
const NEGATIVE_DARK: Rgb = [246, 140, 60];

/** What the canvases draw with; the style sheet says the same of the rest of the page. */
export interface Palette {
  isDark: boolean;
  ground: string;
  panel: string;
  ink: string;
  quiet: string;
  line: string;
  band: string;
  focus: string;
  positive: Rgb;
  negative: Rgb;
  tokens: readonly string[];
}

const HEX = /^#[0-9a-f]{6}$/i;

/** Colours of the tokens: the run's own if it names valid ones; black shows as the text's colour. */
export function tokenColours(count: number, given: readonly string[], ink: string): string[] {
  return Array.from({ length: count }, (_, k) => {
    const own = given[k] ?? "";
    const colour = HEX.test(own) ? own : (OKABE_ITO[k % OKABE_ITO.length] ?? ink);
    // black would vanish on a dark ground, so it stands for the colour of text
    return colour === "#000000" ? ink : colour;
  });
}

export function palette(isDark: boolean, nTokens: number, given: readonly string[]): Palette {
  const ink = isDark ? "#e8eaed" : "#1b1f24";
  return {
    isDark,
    ground: isDark ? "#15181c" : "#ffffff",
    panel: isDark ? "#1c2025" : "#f6f7f8",
    ink,
    quiet: isDark ? "#9aa3ad" : "#5b6570",
    line: isDark ? "#343b43" : "#dfe3e7",
    band: isDark ? "#2a3037" : "#e9ecef",
    focus: isDark ? "#ffd166" : "#111111",
    positive: isDark ? POSITIVE_DARK : POSITIVE,
    negative: isDark ? NEGATIVE_DARK : NEGATIVE,
    tokens: tokenColours(nTokens, given, ink),
  };
}

const mix = (a: number, b: number, share: number): number => Math.round(a + (b - a) * share);
const clamp = (value: number): number => Math.max(0, Math.min(1, value));

export const css = ([r, g, b]: Rgb, alpha = 1): string =>
  alpha >= 1 ? `rgb(${r},${g},${b})` : `rgba(${r},${g},${b},${alpha.toFixed(3)})`;

/** Viridis at a share 0 ... 1. */
export function viridis(share: number): Rgb {
  const place = clamp(share) * (VIRIDIS.length - 1);
  const k = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const [a, b] = [VIRIDIS[k], VIRIDIS[k + 1]];
  if (!a || !b) return [0, 0, 0];
  return [0, 1, 2].map((c) => mix(a[c] ?? 0, b[c] ?? 0, place - k)) as unknown as Rgb;
}

/** Blue for 1, white (or the ground) for 0, orange for -1. */
export function diverging(value: number, isDark = false): Rgb {
  const end = value < 0 ? (isDark ? NEGATIVE_DARK : NEGATIVE) : isDark ? POSITIVE_DARK : POSITIVE;
  const zero: Rgb = isDark ? [34, 38, 44] : [250, 250, 250];
  const share = clamp(Math.abs(value));
  return [0, 1, 2].map((c) => mix(zero[c] ?? 0, end[c] ?? 0, share)) as unknown as Rgb;
}

export function rgb(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
