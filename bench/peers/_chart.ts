import * as echarts from "npm:echarts@6.1.0";
import { median, short, sizeName } from "../_statistics.ts";
import type { Work } from "./_process_pair.ts";
import type { Results } from "./_results.ts";

const TITLES: Record<Work, string> = {
  "one-way": "One way, messages a second",
  "round-trip": "Round trips a second",
};
const SLUICE = "#0b7285";
const OTHERS = "#adb5bd";
const TEXT = "#343a40";

const LABELS = 250;
const PANEL = { width: 190, height: 300, gap: 60 };
const TOP = 60;

/** The medians as bars on a logarithmic scale: a row for each work, a panel for each payload. */
export function toChart(results: Results): string {
  const works = [...new Set(results.cells.map((cell) => cell.work))];
  const sizes = [...new Set(results.cells.map((cell) => cell.size))];
  const shown = results.participants.filter(({ name }) =>
    results.cells.some(({ rates }) => rates[name] !== undefined)
  );
  const panels = results.cells.map((cell) => ({
    ...cell,
    left: LABELS + sizes.indexOf(cell.size) * (PANEL.width + PANEL.gap),
    top: TOP + works.indexOf(cell.work) * (PANEL.height + 90),
    values: shown.map(({ name, title }) => {
      const samples = cell.rates[name];
      return {
        value: samples === undefined ? null : median(samples),
        itemStyle: { color: title.startsWith("Sluice") ? SLUICE : OTHERS },
      };
    }),
  }));

  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: LABELS + sizes.length * (PANEL.width + PANEL.gap),
    height: TOP + works.length * (PANEL.height + 90) - 30,
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "sans-serif", color: TEXT },
    title: [
      ...works.map((work, row) => ({
        text: TITLES[work],
        left: 12,
        top: row * (PANEL.height + 90) + 4,
        textStyle: { fontSize: 17, color: TEXT },
      })),
      ...panels.map(({ size, left, top }) => ({
        text: sizeName(size),
        left: left,
        top: top - 26,
        textStyle: { fontSize: 14, color: TEXT },
      })),
    ],
    grid: panels.map(({ left, top }) => ({
      left,
      top,
      width: PANEL.width,
      height: PANEL.height,
    })),
    yAxis: panels.map(({ left }, gridIndex) => ({
      gridIndex,
      type: "category",
      inverse: true,
      data: shown.map(({ title }) => title),
      axisTick: { show: false },
      axisLabel: { show: left === LABELS, color: TEXT, fontSize: 12 },
    })),
    xAxis: panels.map(({ values }, gridIndex) => {
      const rates = values.flatMap(({ value }) => value ?? []);
      return {
        gridIndex,
        type: "log",
        // A bar needs a start, and a logarithmic scale has no zero.
        min: 10 ** Math.floor(Math.log10(Math.min(...rates) * 0.8)),
        max: 10 ** Math.ceil(Math.log10(Math.max(...rates))),
        axisLabel: {
          formatter: (value: number) => axisName(value),
          fontSize: 11,
        },
        splitLine: { lineStyle: { color: "#e9ecef" } },
      };
    }),
    series: panels.map(({ values }, index) => ({
      type: "bar",
      xAxisIndex: index,
      yAxisIndex: index,
      data: values,
      barCategoryGap: "25%",
      label: {
        show: true,
        position: "right",
        fontSize: 11,
        color: TEXT,
        formatter: ({ value }: { value: number }) => short(value),
      },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg + "\n";
}

function axisName(value: number): string {
  return value >= 1e6
    ? `${value / 1e6} M`
    : value >= 1e3
    ? `${value / 1e3} k`
    : `${value}`;
}
