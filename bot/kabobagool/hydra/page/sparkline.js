// Two minutes of a pair's cost as a line, with the dollar it pays as a dashed one; what lies below that line is filled.

const ONE = 1_000_000;
const HEIGHT = 30;
const EDGE = 3;
const LEAST_RANGE = 20_000;
const POINTS = 120;

/** Draw `points` (millionths of a dollar, negative for unknown, oldest first) into the three paths of `svg`. */
export function drawSparkline(svg, points) {
  const [under, one, line] = svg.children;
  const scale = scaleOf(points);
  const first = POINTS - points.length;
  set(one, `M0 ${scale(ONE)}H${POINTS - 1}`);
  set(
    line,
    runs(points)
      .map(([from, to]) => path(points, from, to, first, scale))
      .join(""),
  );
  set(
    under,
    runs(points)
      .map(([from, to]) => area(points, from, to, first, scale))
      .join(""),
  );
}

function scaleOf(points) {
  const known = points.filter((point) => point >= 0);
  const low = Math.min(ONE - LEAST_RANGE / 4, ...known);
  const high = Math.max(low + LEAST_RANGE, ONE, ...known);
  return (point) => (EDGE + ((high - point) / (high - low)) * (HEIGHT - 2 * EDGE)).toFixed(1);
}

/** Stretches of known points, as [first, last]. */
function runs(points) {
  const found = [];
  points.forEach((point, place) => {
    if (point < 0) return;
    const last = found.at(-1);
    if (last && last[1] === place - 1) last[1] = place;
    else found.push([place, place]);
  });
  return found;
}

function path(points, from, to, first, scale) {
  let drawn = `M${first + from} ${scale(points[from])}`;
  for (let place = from + 1; place <= to; place += 1) drawn += `L${first + place} ${scale(points[place])}`;
  return from === to ? `${drawn}h0.6` : drawn;
}

function area(points, from, to, first, scale) {
  let drawn = "";
  for (let place = from; place <= to; place += 1) {
    if (points[place] < ONE) drawn += `M${first + place - 0.6} ${scale(ONE)}V${scale(points[place])}h1.2V${scale(ONE)}Z`;
  }
  return drawn;
}

function set(node, drawn) {
  if (node.getAttribute("d") !== drawn) node.setAttribute("d", drawn);
}
