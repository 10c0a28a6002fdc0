import * as echarts from "npm:echarts@6.1.0";
import { sizeName } from "../_statistics.ts";

const TEXT = "#343a40";
const COLOURS = ["#0b7285", "#adb5bd"];

/** What a byte costs at each message size: lines on two logarithmic scales. */
export function sizesChart(
  sizes: readonly number[],
  costs: Readonly<Record<string, readonly number[]>>,
): string {
  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: 900,
    height: 440,
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "sans-serif", color: TEXT },
    title: {
      text: "What a byte costs, by message size",
      left: 12,
      top: 8,
      textStyle: { fontSize: 17, color: TEXT },
    },
    legend: { top: 10, right: 20, textStyle: { fontSize: 13, color: TEXT } },
    grid: { left: 80, right: 30, top: 60, bottom: 60 },
    xAxis: {
      type: "category",
      data: sizes.map(sizeName),
      name: "bytes in a message",
      nameLocation: "middle",
      nameGap: 36,
      axisLabel: { color: TEXT, fontSize: 11 },
    },
    yAxis: {
      type: "log",
      name: "ns per byte",
      nameTextStyle: { color: TEXT },
      axisLabel: { color: TEXT, fontSize: 11 },
      splitLine: { lineStyle: { color: "#e9ecef" } },
    },
    series: Object.entries(costs).map(([name, data], i) => ({
      name,
      type: "line",
      data,
      symbolSize: 6,
      lineStyle: { width: 2.5, color: COLOURS[i] },
      itemStyle: { color: COLOURS[i] },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg + "\n";
}
