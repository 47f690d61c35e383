// Stacked bars by day. Colours come from the sheet, so both themes are right; the table below says the same.
(() => {
  "use strict";
  const HEIGHT = 216;
  const FONT = '12px "IBM Plex Sans", system-ui, sans-serif';

  function colour(name) {
    const probe = document.createElement("i");
    probe.style.color = `var(--tl-${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function dayText(seconds, options) {
    return new Date(seconds * 1000).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });
  }

  function durationText(seconds) {
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes} m`;
    return `${Math.floor(minutes / 60).toLocaleString("en-GB")} h ${String(minutes % 60).padStart(2, "0")} m`;
  }

  const UNITS = {
    seconds: { text: durationText, axis: (value) => `${(value / 3600).toLocaleString("en-GB")} h`, one: 3600 },
    count: { text: (value) => value.toLocaleString("en-GB"), axis: (value) => value.toLocaleString("en-GB"), one: 1 },
  };
  const STEPS = [0, 1, 2, 3, 4, 5].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));

  function scaleOf(most, unit) {
    const step = unit.one * (STEPS.find((size) => size * unit.one * 4 >= most) ?? STEPS[STEPS.length - 1]);
    const steps = Math.max(1, Math.ceil(most / step));
    return Array.from({ length: steps + 1 }, (_, place) => place * step);
  }

  function stacked(series) {
    const [first, second] = series.map((one) => one.values);
    return second ? [first.map((value, place) => value + second[place]), first] : [first];
  }

  function axes(days, scale, unit) {
    const ink = colour("ink-3");
    const last = days[days.length - 1];
    return [
      {
        stroke: ink, font: FONT, grid: { show: false }, ticks: { show: false }, gap: 6, size: 28, space: 64,
        values: (_, places) => places.map((at) => (at > last ? "" : dayText(at, { day: "numeric", month: "short" }))),
      },
      {
        stroke: ink, font: FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, size: 56, gap: 6,
        splits: () => scale, values: (_, places) => places.map(unit.axis),
      },
    ];
  }

  function options(box, days, columns, unit, say) {
    const bars = uPlot.paths.bars({ size: [0.62, 18], radius: [0.12, 0] });
    const fills = columns.length > 1 ? ["accent-2", "accent"] : ["accent"];
    const scale = scaleOf(Math.max(...columns[0], 0), unit);
    return {
      width: box.clientWidth,
      height: HEIGHT,
      padding: [12, 4, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: [days[0] - 43200, days[days.length - 1] + 43200] }, y: { range: [0, scale[scale.length - 1]] } },
      axes: axes(days, scale, unit),
      series: [{}, ...fills.map((name) => ({ paths: bars, fill: colour(name), width: 0, points: { show: false } }))],
      hooks: { setCursor: [(chart) => say(chart.cursor.idx)] },
    };
  }

  function boot(figure) {
    const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    if (!data.days.length) return;
    const box = figure.querySelector(".tl-chart");
    const readout = figure.querySelector("[data-readout]");
    const unit = UNITS[data.unit] ?? UNITS.seconds;
    const days = data.days.map((day) => Date.parse(`${day}T12:00:00Z`) / 1000);
    const columns = stacked(data.series);
    const today = new Date().toLocaleDateString("sv-SE");
    let chart;

    function say(place) {
      const at = place ?? days.length - 1;
      const soFar = data.days[at] === today ? ", so far" : "";
      const values = data.series.map((one) => `${unit.text(one.values[at])} ${one.label}`).join(", ");
      readout.textContent = `${dayText(days[at], { weekday: "short", day: "numeric", month: "short" })}${soFar}: ${values}`;
    }
    function draw() {
      chart?.destroy();
      chart = new uPlot(options(box, days, columns, unit, say), [days, ...columns], box);
      say(null);
    }

    document.fonts.ready.then(draw);
    document.addEventListener("twinlog:theme", draw);
    new ResizeObserver(() => chart && chart.width !== box.clientWidth && draw()).observe(box);
  }

  document.querySelectorAll("[data-chart]").forEach(boot);
})();
