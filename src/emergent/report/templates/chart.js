// Charts that readers move through. Data: a JSON element beside each chart, written by emergent.report.chart.
class Chart {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.x = 0;
    this.hidden = new Set();
    this.at = data.axes.map((axis) => Math.max(0, axis.values.indexOf(axis.start)));
    this.log = data.panels.map((panel) => panel.log);
    root.replaceChildren();
    this.controls = html("div", { class: "controls" }, root);
    this.legend = html("div", { class: "legend", role: "group", "aria-label": "Curves shown" }, root);
    this.panels = html("div", { class: "panels" }, root);
    this.readout = html("p", { class: "readout", "aria-live": "polite" }, root,
      "Point at a curve to read its values; with the keyboard, move to a panel and use the arrow keys.");
    html("p", { class: "note" }, root, data.note);
    this.makeControls();
    this.makeLegend();
    this.views = data.panels.map((panel, index) => this.makePanel(panel, index));
    this.width = 0;
    new ResizeObserver(() => {
      const width = Math.round(this.panels.clientWidth);
      if (width && width !== this.width) {
        this.width = width;
        this.draw();
      }
    }).observe(this.panels);
  }

  // Controls: what it is drawn against, a slider for each other axis, and the scale of the height.
  makeControls() {
    this.controls.replaceChildren();
    const many = this.data.axes.map((axis, index) => index).filter((index) => this.data.axes[index].values.length > 1);
    if (this.data.swap && many.length > 1) {
      const group = html("fieldset", {}, this.controls);
      html("legend", {}, group, "Against");
      many.forEach((index) => {
        const label = html("label", {}, group);
        const input = html("input", { type: "radio", name: `${this.root.id}-x` }, label);
        input.checked = index === this.x;
        label.append(` ${this.data.axes[index].label}`);
        input.addEventListener("change", () => {
          this.x = index;
          this.makeControls();
          this.controls.querySelector("input:checked").focus();
          this.draw();
        });
      });
    }
    many.filter((index) => index !== this.x).forEach((index) => this.makeSlider(index));
    const positive = this.data.panels.every((panel) =>
      panel.curves.every((curve) => curve.rows.every((row) => row[this.data.axes.length] > 0)));
    if (positive) {
      const label = html("label", { class: "check" }, this.controls);
      const input = html("input", { type: "checkbox" }, label);
      input.checked = this.log.every(Boolean);
      input.indeterminate = !input.checked && this.log.some(Boolean);
      label.append(" Logarithmic height");
      input.addEventListener("change", () => {
        this.log = this.log.map(() => input.checked);
        this.draw();
      });
    }
  }

  makeSlider(index) {
    const axis = this.data.axes[index];
    const label = html("label", { class: "slider" }, this.controls);
    const name = html("span", {}, label, `${axis.label} `);
    const shown = html("output", {}, name);
    const input = html("input", { type: "range", min: 0, max: axis.values.length - 1, step: 1 }, label);
    input.value = this.at[index];
    const show = () => {
      shown.textContent = number(axis.values[this.at[index]]);
      input.setAttribute("aria-valuetext", `${axis.label} ${shown.textContent}`);
    };
    input.addEventListener("input", () => {
      this.at[index] = Number(input.value);
      show();
      this.draw();
    });
    show();
  }

  makeLegend() {
    const seen = new Map();
    for (const panel of this.data.panels)
      for (const curve of panel.curves) if (!seen.has(curve.label)) seen.set(curve.label, curve);
    for (const [label, curve] of seen) {
      const button = html("button", { type: "button", "aria-pressed": "true" }, this.legend);
      const key = svg("svg", { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" }, button);
      key.style.setProperty("--c", curve.color);
      if (curve.band) svg("rect", { x: 1, y: 2, width: 24, height: 8, class: "band" }, key);
      if (!["points", "published"].includes(curve.style)) svg("path", { d: "M1 6H25", class: curve.style }, key);
      if (["points", "line"].includes(curve.style)) svg("circle", { cx: 13, cy: 6, r: 3, class: "mark" }, key);
      if (curve.style === "published") svg("path", { d: "M13 2l4 4-4 4-4-4z", class: "published" }, key);
      button.append(label);
      button.addEventListener("click", () => {
        const hide = !this.hidden.delete(label);
        if (hide) this.hidden.add(label);
        button.setAttribute("aria-pressed", String(!hide));
        this.draw();
      });
    }
  }

  makePanel(panel, index) {
    const box = html("div", { class: "panel" }, this.panels);
    if (panel.title) html("p", { class: "title" }, box, panel.title);
    const picture = svg("svg", { tabindex: 0, role: "group", "aria-roledescription": "chart" }, box);
    const tip = html("div", { class: "tip", "aria-hidden": "true", hidden: "" }, box);
    const view = { panel, index, box, picture, tip, points: [], chosen: null };
    picture.addEventListener("pointermove", (event) => this.point(view, event));
    picture.addEventListener("pointerdown", (event) => this.point(view, event));
    picture.addEventListener("pointerleave", () => this.choose(view, null));
    picture.addEventListener("blur", () => this.choose(view, null));
    picture.addEventListener("keydown", (event) => this.key(view, event));
    return view;
  }

  // Rows of a curve at the present place of the sliders.
  rowsOf(curve) {
    return curve.rows.filter((row) => this.data.axes.every((axis, index) =>
      index === this.x || row[index] === null || row[index] === axis.values[this.at[index]]));
  }

  draw() {
    const count = this.views.length;
    const most = Math.max(1, Math.floor((this.width + 16) / 296));
    const columns = count === 4 && most > 2 ? (this.width > 1150 ? 4 : 2) : Math.min(count, most, 3);
    this.panels.style.setProperty("--columns", columns);
    const width = Math.floor((this.width - 16 * (columns - 1)) / columns);
    const height = Math.round(Math.min(320, Math.max(210, 0.68 * width)));
    this.views.forEach((view) => this.drawPanel(view, width, height));
  }

  domain(view) {
    const dims = this.data.axes.length;
    const axis = this.data.axes[this.x];
    const [xs, ys, log] = [[...axis.values], [], this.log[view.index]];
    for (const curve of view.panel.curves) {
      if (this.hidden.has(curve.label)) continue;
      for (const row of curve.rows) {
        if (row[this.x] !== null) xs.push(row[this.x]);
        for (const value of curve.style === "published" ? [row[dims]] : row.slice(dims))
          if (value !== null && (!log || value > 0)) ys.push(value);
      }
    }
    const ends = (values, logarithmic, pad) => {
      let [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
      if (low > high) return logarithmic ? [1, 10] : [0, 1];
      if (logarithmic) {
        const factor = Math.max((high / low) ** pad, high === low ? 2 : 1.01);
        return [low / factor, high * factor];
      }
      const room = high === low ? Math.abs(high) || 1 : (high - low) * pad;
      return [low - room, high + room];
    };
    const logX = axis.log && Math.min(...xs) > 0;
    const fixed = view.panel.ends && !log ? view.panel.ends : ends(ys, log, 0.06);
    return { x: [...ends(xs, logX, 0.04), logX], y: [...fixed, log] };
  }

  drawPanel(view, width, height) {
    const { picture, panel } = view;
    const [axis, domain] = [this.data.axes[this.x], this.domain(view)];
    const x = scale(domain.x[0], domain.x[1], MARGIN.left, width - MARGIN.right, domain.x[2]);
    const y = scale(domain.y[0], domain.y[1], height - MARGIN.bottom, MARGIN.top, domain.y[2]);
    picture.replaceChildren();
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("width", width);
    picture.setAttribute("height", height);
    picture.setAttribute("aria-label",
      `${panel.title || panel.y}: ${panel.y} against ${axis.label.toLowerCase()}. Arrow keys read its values.`);
    this.drawAxes(picture, panel, axis, x, y, width, height);
    const clip = `${this.root.id}-clip-${view.index}`;
    const area = svg("clipPath", { id: clip }, svg("defs", {}, picture));
    svg("rect", { x: MARGIN.left, y: 0, width: width - MARGIN.left - MARGIN.right + 6, height: height - MARGIN.bottom + 4 }, area);
    const layer = svg("g", { "clip-path": `url(#${clip})` }, picture);
    view.points = [];
    const order = (curve) => (curve.band ? 0 : curve.style === "published" ? 2 : 1);
    [...panel.curves].sort((a, b) => order(a) - order(b)).forEach((curve) => {
      if (!this.hidden.has(curve.label)) this.drawCurve(view, layer, curve, x, y);
    });
    view.ring = svg("circle", { r: 6, class: "ring", visibility: "hidden" }, picture);
    view.width = width;
    this.choose(view, null);
  }

  drawAxes(picture, panel, axis, x, y, width, height) {
    const bottom = height - MARGIN.bottom;
    const group = svg("g", { class: "axes", "aria-hidden": "true" }, picture);
    for (const value of ticks(y.low, y.high, y.log, height / 46)) {
      svg("path", { d: `M${MARGIN.left} ${y(value)}H${width - MARGIN.right}` }, group);
      svg("text", { x: MARGIN.left - 6, y: y(value), dy: "0.32em", "text-anchor": "end" }, group, number(value));
    }
    // The values of ours are ticks where there are few of them and nothing lies beyond; labels that would overlap are left out.
    const beyond = panel.curves.flatMap((curve) => curve.rows.map((row) => row[this.x])).filter((value) => value !== null);
    const all = [...new Set([...axis.values, ...beyond])].sort((a, b) => a - b);
    const few = all.length <= 12 && all.every((value) => !x.log || value > 0);
    const own = few ? all : ticks(x.low, x.high, x.log, (width - 60) / 60);
    let last = Infinity;
    for (const value of [...own].reverse()) {
      const place = x(value);
      svg("path", { d: `M${place} ${bottom}v4`, class: "tick" }, group);
      const text = number(value);
      if (last - place > 5 * text.length + 12) {
        svg("text", { x: place, y: bottom + 16, "text-anchor": "middle" }, group, text);
        last = place;
      }
    }
    svg("path", { d: `M${MARGIN.left} ${bottom}H${width - MARGIN.right}`, class: "frame" }, group);
    svg("text", { x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 6, "text-anchor": "middle", class: "label" },
      group, axis.label);
    svg("text", { transform: `translate(12 ${bottom / 2}) rotate(-90)`, "text-anchor": "middle", class: "label" },
      group, panel.y);
  }

  drawCurve(view, layer, curve, x, y) {
    const dims = this.data.axes.length;
    const group = svg("g", {}, layer);
    group.style.setProperty("--c", curve.color);
    const fits = (row) => !y.log || row[dims] > 0;
    const rows = this.rowsOf(curve).filter(fits);
    // What holds everywhere is a level over the whole axis.
    const spread = rows.flatMap((row) => row[this.x] === null
      ? [x.low, x.high].map((end) => row.map((value, index) => (index === this.x ? end : value))) : [row]);
    spread.sort((a, b) => a[this.x] - b[this.x]);
    if (!spread.length) return;
    const place = (row, column) => [x(row[this.x]), y(y.log ? Math.max(row[column], y.low) : row[column])];
    const ended = spread.filter((row) => row[dims + 1] !== null && row[dims + 2] !== null);
    if (curve.band && ended.length > 1) {
      const upper = ended.map((row) => place(row, dims + 2).join(" "));
      const lower = [...ended].reverse().map((row) => place(row, dims + 1).join(" "));
      svg("path", { d: `M${[...upper, ...lower].join("L")}Z`, class: "band" }, group);
    } else if (!curve.band) {
      for (const row of ended) {
        const [left, low] = place(row, dims + 1);
        svg("path", { d: `M${left} ${low}V${place(row, dims + 2)[1]}`, class: "bar" }, group);
      }
    }
    const line = spread.map((row) => place(row, dims).join(" ")).join("L");
    if (!["points", "published"].includes(curve.style)) svg("path", { d: `M${line}`, class: curve.style }, group);
    const marked = ["line", "points"].includes(curve.style) && rows.length <= MOST_MARKERS;
    spread.forEach((row) => {
      const [left, top] = place(row, dims);
      if (curve.style === "published") svg("path", { d: `M${left} ${top - 5}l5 5-5 5-5-5z`, class: "published" }, group);
      else if (marked) svg("circle", { cx: left, cy: top, r: 3.2, class: "mark" }, group);
      if (!["thin", "dotted"].includes(curve.style)) view.points.push({ curve, row, left, top });
    });
  }

  point(view, event) {
    const box = view.picture.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const away = (point) => Math.hypot(point.left - left, point.top - top);
    const near = view.points.reduce((best, point) => (best && away(best) <= away(point) ? best : point), null);
    this.choose(view, near && away(near) < REACH ? near : null);
  }

  key(view, event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Escape") this.choose(view, null);
    if (!(event.key in steps) || !view.points.length) return;
    event.preventDefault();
    const [along, across] = steps[event.key];
    const curves = [...new Set(view.points.map((point) => point.curve))];
    const now = view.chosen || view.points[0];
    const turn = (index, count) => ((index % count) + count) % count;
    const curve = curves[turn(curves.indexOf(now.curve) + (view.chosen ? across : 0), curves.length)];
    const own = view.points.filter((point) => point.curve === curve);
    const near = own.reduce((best, p) => (Math.abs(p.left - now.left) < Math.abs(best.left - now.left) ? p : best));
    this.choose(view, own[Math.min(own.length - 1, Math.max(0, own.indexOf(near) + (view.chosen ? along : 0)))]);
  }

  choose(view, point) {
    view.chosen = point;
    view.tip.hidden = !point;
    view.ring.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    view.ring.setAttribute("cx", point.left);
    view.ring.setAttribute("cy", point.top);
    const dims = this.data.axes.length;
    const [value, low, high] = point.row.slice(dims);
    const where = this.data.axes
      .map((axis, index) => (point.row[index] === null ? "" : `${axis.label.toLowerCase()} ${number(point.row[index])}`))
      .filter(Boolean).join(", ");
    const ends = low === null ? "" : ` (${number(low)} to ${number(high)})`;
    view.tip.replaceChildren();
    html("b", {}, view.tip, number(value));
    view.tip.append(`${ends}`);
    html("span", {}, view.tip, point.curve.label);
    html("span", {}, view.tip, where);
    const right = point.left > view.width / 2;
    view.tip.style.left = right ? "auto" : `${point.left + 12}px`;
    view.tip.style.right = right ? `${view.box.clientWidth - point.left + 12}px` : "auto";
    view.tip.style.top = `${Math.max(0, view.picture.offsetTop + point.top - 30)}px`;
    this.readout.textContent = `${point.curve.label}: ${number(value)}${ends} at ${where || "all values"}.`;
  }
}
