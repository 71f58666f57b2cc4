// Draws the table of each <figure class="chart" data-curve> as curves: first column x, each other column a series.
// The table is the data, so that the page is whole without this file; after a swap the drawing is kept and fed again.
(() => {
  const drawings = new WeakMap();
  // Distances between two marks of the first axis, which counts steps.
  const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

  function numbers(table) {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => parseFloat(cell.dataset.value ?? cell.textContent)));
    return [...table.tHead.rows[0].cells].map((_, column) => rows.map((row) => (Number.isFinite(row[column]) ? row[column] : null)));
  }

  // Tiny numbers, such as a learning rate, as powers of ten: in three decimals they would all read 0.
  function label(number) {
    const tiny = number !== 0 && Math.abs(number) < 0.001;
    return tiny ? Number(number.toPrecision(3)).toExponential() : number.toLocaleString("en", { maximumSignificantDigits: 6 });
  }

  function options(plot, table) {
    const style = getComputedStyle(plot);
    const colour = style.color;
    const root = getComputedStyle(document.body);
    const [soft, line] = ["--soft", "--line"].map((name) => resolved(plot, name));
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: `11px ${root.fontFamily}` };
    const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const dashes = [[], [6, 4], [2, 3]];
    return {
      width: plot.clientWidth,
      height: plot.clientHeight,
      cursor: { y: false },
      legend: { show: false },
      scales: { x: { time: false } },
      padding: [8, null, 0, null],
      axes: [{ ...axis, size: 26, incrs: WHOLE }, { ...axis, size: 48, values: (_, numbers) => numbers.map(label) }],
      series: headings.map((label, index) =>
        index ? { label, stroke: colour, width: 2, dash: dashes[(index - 1) % 3], spanGaps: true, points: { show: false } } : { label },
      ),
    };
  }

  // A custom property with light-dark() has no colour of its own: an element that uses it has.
  function resolved(plot, name) {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    plot.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  function draw(figure, afresh = false) {
    const [plot, table] = [figure.querySelector(".plot"), figure.querySelector(".table-wrap table")];
    if (!plot || !table?.tBodies[0]?.rows.length) return;
    const data = numbers(table);
    const drawing = drawings.get(plot);
    if (drawing && !afresh) return drawing.setData(data);
    drawing?.destroy();
    drawings.set(plot, new uPlot(options(plot, table), data, plot));
  }

  function drawAll(afresh) {
    document.querySelectorAll("figure[data-curve]").forEach((figure) => draw(figure, afresh));
  }

  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) drawings.get(target)?.setSize({ width: target.clientWidth, height: target.clientHeight });
  });
  function refresh() {
    drawAll(false);
    document.querySelectorAll("figure[data-curve] .plot").forEach((plot) => resized.observe(plot));
  }

  refresh();
  htmx.onLoad(refresh);
  document.addEventListener("theme:changed", () => drawAll(true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
})();
