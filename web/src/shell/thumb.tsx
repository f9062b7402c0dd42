/** One small picture out of a sheet. */
import { useCallback } from "preact/hooks";
import { drawPicture, type Picture } from "../data/pictures";
import { useApp, type Tip } from "./app";
import { Drawing, type Size } from "./drawing";

export interface ThumbProps {
  picture: Picture | null;
  side: number;
  label: string;
  tip?: Tip;
  click?: () => void;
}

export function Thumb({ picture, side, label, tip, click }: ThumbProps) {
  const app = useApp();
  const paint = useCallback(
    (pen: CanvasRenderingContext2D, { width, height }: Size) => {
      if (picture) drawPicture(pen, picture, 0, 0, Math.min(width, height));
    },
    [picture?.sheet, picture?.x, picture?.y, picture?.width, app.palette.value],
  );
  if (!picture) return null;
  const drawn = (
    <Drawing class="thumb" label={label} paint={paint} {...(tip ? { hover: () => tip } : {})} />
  );
  const size = { width: `${side}px`, height: `${side}px` };
  return click ? (
    <button type="button" class="thumb-button" style={size} aria-label={label} onClick={click}>
      {drawn}
    </button>
  ) : (
    <span class="thumb-holder" style={size}>
      {drawn}
    </span>
  );
}
