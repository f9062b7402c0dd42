/** Figures and the numbers under them, as files. */

export type Table = { columns: readonly string[]; rows: Iterable<readonly (string | number)[]> };

/** A table as CSV; cells that a spreadsheet would take for a formula are quoted as text. */
export function csv({ columns, rows }: Table): string {
  const cell = (value: string | number): string => {
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
    const safe = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [columns.map(cell).join(",")];
  for (const row of rows) lines.push(row.map(cell).join(","));
  return `${lines.join("\n")}\n`;
}

export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const saveTable = (name: string, table: Table): void =>
  save(`${name}.csv`, new Blob([csv(table)], { type: "text/csv" }));

/** Every canvas of a figure in one picture, at the places they have on the page. */
export async function savePicture(name: string, figure: HTMLElement, ground: string) {
  const frame = figure.getBoundingClientRect();
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const board = new OffscreenCanvas(frame.width * ratio, frame.height * ratio);
  const pen = board.getContext("2d");
  if (!pen) return;
  pen.fillStyle = ground;
  pen.fillRect(0, 0, board.width, board.height);
  for (const canvas of figure.querySelectorAll("canvas")) {
    const box = canvas.getBoundingClientRect();
    const place = [box.x - frame.x, box.y - frame.y, box.width, box.height].map((v) => v * ratio);
    pen.drawImage(canvas, ...(place as [number, number, number, number]));
  }
  save(`${name}.png`, await board.convertToBlob({ type: "image/png" }));
}

export const saveSvg = (name: string, svg: SVGElement): void => {
  const copy = svg.cloneNode(true) as SVGElement;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  save(
    `${name}.svg`,
    new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }),
  );
};
