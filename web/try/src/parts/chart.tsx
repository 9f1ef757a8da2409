/** A line chart over the last minute. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Curve {
  readonly name: string;
  /** Name of the custom property that holds its colour. */
  readonly color: string;
  readonly isArea?: boolean;
}

interface ChartProps {
  readonly title: string;
  readonly curves: readonly Curve[];
  /** Unix seconds. */
  readonly times: readonly number[];
  /** One list for each curve. */
  readonly values: readonly (readonly number[])[];
}

const HEIGHT_PX = 150;
const SPAN_S = 60;

export function Chart({ title, curves, times, values }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const now = times.at(-1) ?? 0;
  const data = [times.map((at) => at - now), ...values] as unknown as uPlot.AlignedData;
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const element = frame.current!;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(curves, element.clientWidth), newest.current, element);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resized.observe(element);
    // A canvas does not follow the style sheet when day turns to night.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, [curves]);

  useEffect(() => plot.current?.setData(newest.current), [times.at(-1), times.length]);

  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div ref={frame} role="img" aria-label={describe(curves, values)} />
    </figure>
  );
}

/** What the chart shows now, for those who do not see it. */
function describe(curves: readonly Curve[], values: readonly (readonly number[])[]): string {
  return curves.map(({ name }, index) => `${name} ${Math.round(values[index]?.at(-1) ?? 0)}`).join(', ');
}

function options(curves: readonly Curve[], width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${style.getPropertyValue('--sans').trim()}`;
  const axis = { stroke: color('--muted'), font, grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      // Time runs from right to left through a window of fixed width, also while there is little to show.
      x: { time: false, range: [-SPAN_S, 0] },
      y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 22, values: (_plot, splits) => splits.map((at) => (at === 0 ? 'now' : `${at} s`)) },
      { ...axis, size: 40, values: (_plot, splits) => splits.map(short) },
    ],
    series: [
      {},
      ...curves.map(({ color: name, isArea }) => ({
        stroke: color(name),
        width: 2,
        points: { show: false },
        ...(isArea && { fill: `color-mix(in srgb, ${color(name)} 18%, transparent)` }),
      })),
    ],
  };
}

function short(value: number): string {
  return value >= 1000 ? `${value / 1000}k` : String(value);
}
