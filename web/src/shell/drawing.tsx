/** A canvas that fits its place and is painted again whenever something it read has changed. */
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { sharpen } from "../draw/canvas";
import { register } from "../draw/figure";
import { useApp, type Tip } from "./app";

export interface Size {
  width: number;
  height: number;
}

export interface DrawingProps {
  label: string;
  class?: string;
  paint(pen: CanvasRenderingContext2D, size: Size): void;
  /** What moves with the film, painted over what does not. */
  over?(pen: CanvasRenderingContext2D, size: Size): void;
  /** What is under the pointer, in words. */
  hover?(x: number, y: number, size: Size): Tip | null;
  click?(x: number, y: number, size: Size): void;
  leave?(): void;
  wheel?(event: WheelEvent, x: number, y: number): void;
  drag?(dx: number, dy: number): void;
  doubleClick?(): void;
  /** A key while the canvas has the focus; true if it was of use. */
  press?(key: string): boolean;
}

const FAR = 4;
/** Pixels that the pointer may move in a click. */

export function Drawing(props: DrawingProps) {
  const { tip } = useApp();
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const upper = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const size = useMemo(() => signal<Size>({ width: 0, height: 0 }), []);
  useEffect(() => watch(holder.current, (next) => (size.value = next)), []);
  // two canvases: the lower is painted when data change, the upper one at every frame of the film
  useEffect(() => effect(() => repaint(canvas.current, size.value, props.paint)), [props.paint]);
  useEffect(() => effect(() => repaint(upper.current, size.value, props.over)), [props.over]);
  useEffect(() => {
    const own = canvas.current;
    if (!own || !props.wheel) return;
    const on = (event: WheelEvent) => {
      event.preventDefault();
      latest.current.wheel?.(event, event.offsetX, event.offsetY);
    };
    // not passive, so that the page does not scroll under the zoom
    own.addEventListener("wheel", on, { passive: false });
    return () => own.removeEventListener("wheel", on);
  }, []);

  const pressed = useRef<{ x: number; y: number; far: boolean } | null>(null);
  const move = (event: PointerEvent) => {
    const press = pressed.current;
    if (press && latest.current.drag) {
      const [dx, dy] = [event.clientX - press.x, event.clientY - press.y];
      // a press that has moved is a drag to its end, and no click even if it comes back
      if (press.far || Math.hypot(dx, dy) > FAR) {
        pressed.current = { x: event.clientX, y: event.clientY, far: true };
        latest.current.drag(dx, dy);
        tip.value = null;
      }
      return;
    }
    const said = latest.current.hover?.(event.offsetX, event.offsetY, size.value) ?? null;
    tip.value = said && { x: event.clientX, y: event.clientY, tip: said };
    if (canvas.current && props.click) canvas.current.classList.toggle("pointing", said !== null);
  };
  const press = (event: PointerEvent) => {
    pressed.current = { x: event.clientX, y: event.clientY, far: false };
    if (props.drag) canvas.current?.setPointerCapture(event.pointerId);
  };
  const release = (event: PointerEvent) => {
    const far = pressed.current?.far ?? true;
    pressed.current = null;
    if (!far) latest.current.click?.(event.offsetX, event.offsetY, size.value);
  };
  const leave = () => {
    tip.value = null;
    latest.current.leave?.();
  };
  return (
    <div ref={holder} class={`drawing ${props.class ?? ""}`}>
      <canvas
        ref={canvas}
        {...(props.label === ""
          ? { "aria-hidden": true as const }
          : {
              role: props.press ? ("application" as const) : ("img" as const),
              "aria-label": props.label,
            })}
        {...(props.press ? { tabIndex: 0 } : {})}
        onKeyDown={(event) => {
          if (latest.current.press?.(event.key) !== true) return;
          event.preventDefault();
          event.stopPropagation();
        }}
        onPointerMove={move}
        onPointerDown={press}
        onPointerUp={release}
        onPointerLeave={leave}
        onDblClick={() => latest.current.doubleClick?.()}
      />
      {props.over && <canvas ref={upper} class="upper" aria-hidden="true" />}
    </div>
  );
}

function repaint(
  canvas: HTMLCanvasElement | null,
  size: Size,
  paint: DrawingProps["paint"] | undefined,
): void {
  if (!canvas || !paint || size.width < 2 || size.height < 2) return;
  const pen = sharpen(canvas, size.width, size.height);
  register(canvas, paint);
  pen.clearRect(0, 0, size.width, size.height);
  paint(pen, size);
}

function watch(element: Element | null, tell: (size: Size) => void): (() => void) | undefined {
  if (!element) return undefined;
  const observer = new ResizeObserver(([entry]) => {
    if (!entry) return;
    tell({
      width: Math.floor(entry.contentRect.width),
      height: Math.floor(entry.contentRect.height),
    });
  });
  observer.observe(element);
  return () => observer.disconnect();
}
