/** A canvas that fits its place and is painted again whenever something it read has changed. */
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { sharpen } from "../draw/canvas";
import { useApp, type Tip } from "./app";

export interface Size {
  width: number;
  height: number;
}

export interface DrawingProps {
  label: string;
  class?: string;
  paint(pen: CanvasRenderingContext2D, size: Size): void;
  /** What is under the pointer, in words. */
  hover?(x: number, y: number, size: Size): Tip | null;
  click?(x: number, y: number, size: Size): void;
  leave?(): void;
  wheel?(event: WheelEvent, x: number, y: number): void;
  drag?(dx: number, dy: number): void;
  doubleClick?(): void;
}

const FAR = 4;
/** Pixels that the pointer may move in a click. */

export function Drawing(props: DrawingProps) {
  const { tip } = useApp();
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const size = useMemo(() => signal<Size>({ width: 0, height: 0 }), []);
  useEffect(() => watch(holder.current, (next) => (size.value = next)), []);
  useEffect(
    () =>
      effect(() => {
        const { width, height } = size.value;
        if (!canvas.current || width < 2 || height < 2) return;
        const pen = sharpen(canvas.current, width, height);
        pen.clearRect(0, 0, width, height);
        props.paint(pen, { width, height });
      }),
    [props.paint],
  );
  useEffect(() => {
    const own = canvas.current;
    if (!own || !props.wheel) return;
    const on = (event: WheelEvent) => {
      event.preventDefault();
      latest.current.wheel?.(event, event.offsetX, event.offsetY);
    };
    own.addEventListener("wheel", on, { passive: false });
    return () => own.removeEventListener("wheel", on);
  }, []);

  const pressed = useRef<{ x: number; y: number; far: boolean } | null>(null);
  const move = (event: PointerEvent) => {
    const press = pressed.current;
    if (press && latest.current.drag) {
      const [dx, dy] = [event.clientX - press.x, event.clientY - press.y];
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
          : { role: "img" as const, "aria-label": props.label })}
        onPointerMove={move}
        onPointerDown={press}
        onPointerUp={release}
        onPointerLeave={leave}
        onDblClick={() => latest.current.doubleClick?.()}
      />
    </div>
  );
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
