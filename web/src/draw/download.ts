/** Figures and the numbers under them, as files. */

export type Table = { columns: readonly string[]; rows: Iterable<readonly (string | number)[]> };

/** A table as CSV; cells that a spreadsheet would take for a formula are quoted as text. */
export function csv({ columns, rows }: Table): string {
  const cell = (value: string | number): string => {
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
    // a cell that begins so would be run as a formula by whoever opens the file
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
  // later, since some browsers fetch the address only after the click has returned
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const saveTable = (name: string, table: Table): void =>
  save(`${name}.csv`, new Blob([csv(table)], { type: "text/csv" }));
