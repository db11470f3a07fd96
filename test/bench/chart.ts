// The ratios as an SVG bar chart on a logarithmic scale: PostGraphile is 1, a tick marks each goal.
import type { Line } from './report.ts';

const WIDTH = 770;
const LABEL = 300;
const ROW = 26;
const TOP = 40;
/** Ratios at the two ends of the axis. */
const [LOWEST, HIGHEST] = [0.5, 1_000];

const x = (ratio: number) => {
  const share = Math.log(ratio / LOWEST) / Math.log(HIGHEST / LOWEST);
  return LABEL + Math.max(0, Math.min(1, share)) * (WIDTH - LABEL - 60);
};

/** Lines without a ratio to PostGraphile are left out. */
export function toChart(lines: readonly Line[]): string {
  const shown = lines.filter((line) => line.ratios.postgraphile !== undefined);
  const height = TOP + shown.length * ROW + 20;
  const ticks = [1, 2, 5, 10, 100, 1_000].map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 8}" y2="${height - 16}" stroke="#8884" />` +
      `<text x="${x(tick)}" y="${TOP - 12}" text-anchor="middle">${tick}×</text>`,
  );
  const bars = shown.map(({ id, title, ratios, goals }, at) => {
    const y = TOP + at * ROW;
    const ratio = ratios.postgraphile!;
    const goal = goals.postgraphile;
    return (
      `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${inXml(short(`${id} ${title}`))}</text>` +
      `<rect x="${x(LOWEST)}" y="${y + 3}" width="${(x(ratio) - x(LOWEST)).toFixed(1)}" height="15" rx="2" fill="#4a7bb5" />` +
      (goal === undefined
        ? ''
        : `<line x1="${x(goal)}" x2="${x(goal)}" y1="${y}" y2="${y + 21}" stroke="#d06b36" stroke-width="3" />`) +
      `<text x="${(x(ratio) + 6).toFixed(1)}" y="${y + 15}">${ratio.toFixed(ratio < 10 ? 1 : 0)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#777">`,
    '<title>Requests a second of Coterie, as a multiple of PostGraphile 5; the orange ticks are the goals</title>',
    ...ticks,
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

const short = (text: string) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);
const inXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
