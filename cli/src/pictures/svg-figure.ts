import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** A plot of this project's look as an SVG document; room for {@link headingMarks} is left above it. */
export function svgFigure(options: Plot.PlotOptions): string {
  const figure = Plot.plot({
    document: parseHTML("<html></html>").document,
    width: 820,
    height: 500,
    marginLeft: 74,
    marginRight: 24,
    marginTop: 84,
    marginBottom: 50,
    style: { background: "white", color: "#222", fontFamily: "system-ui, sans-serif", fontSize: "12px" },
    ...options,
  });
  figure.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return `${figure.outerHTML}\n`;
}

/** Figures of one width, one below the other, as one SVG document. */
export function stackedFigures(figures: readonly string[]): string {
  let y = 0;
  const placed = figures.map((figure) => {
    const at = y;
    y += sizeOf(figure).height;
    return figure.replace("<svg", `<svg y="${at}"`);
  });
  const { width } = sizeOf(figures[0]);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}">\n${placed.join("")}</svg>\n`;
}

function sizeOf(figure: string): { readonly width: number; readonly height: number } {
  const [svg] = parseHTML(figure).document.getElementsByTagName("svg");
  return { width: Number(svg.getAttribute("width")), height: Number(svg.getAttribute("height")) };
}

/** One entry of a legend. */
export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
}

/** Title, subtitle and legend above the frame of a plot. */
export function headingMarks(
  title: string,
  subtitle: string,
  legend: readonly LegendEntry[],
): Plot.Markish[] {
  const at = (text: string, options: Plot.TextOptions) =>
    Plot.text([text], {
      text: (line: string) => line,
      frameAnchor: "top-left",
      textAnchor: "start",
      ...options,
    });
  let x = 6;
  const entries = legend.flatMap(({ name, colour }) => {
    const marks = [
      Plot.dot([0], { frameAnchor: "top-left", dx: x, dy: -16, r: 4.5, fill: colour }),
      at(name, { dx: x + 9, dy: -16 - 6 }),
    ];
    x += 9 + 24 + 6.6 * name.length;
    return marks;
  });
  return [
    at(title, { dy: -74, fontSize: 17, fontWeight: "bold" }),
    at(subtitle, { dy: -49, fill: "#555" }),
    ...entries,
  ];
}
