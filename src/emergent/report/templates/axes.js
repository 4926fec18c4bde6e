// What charts are drawn with: elements, numbers as they are read, ticks and scales of axes.
const NS = document.querySelector("svg").namespaceURI;
const MARGIN = { top: 8, right: 12, bottom: 40, left: 60 };
const MOST_MARKERS = 45;
const REACH = 40; // pixels from the pointer to the point that it reads

const svg = (name, attributes, parent, text) => {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};
const html = (name, attributes, parent, text) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const exponent = (n) => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((d) => SUPERSCRIPTS[d]).join("");
const number = (value) => {
  if (value === 0) return "0";
  if (value < 0) return `−${number(-value)}`;
  if (value >= 1e-3 && value < 1e6) return String(Number(value.toPrecision(4)));
  const [digits, power] = value.toExponential(2).split("e");
  const rounded = Number(digits);
  return (rounded === 1 ? "" : `${rounded}·`) + `10${exponent(Number(power))}`;
};

function ticks(low, high, log, count) {
  if (log) {
    const decades = Math.log10(high / low);
    const steps = decades < 1.2 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : decades < 3 ? [1, 2, 5] : [1];
    const skip = Math.max(1, Math.ceil(decades / count));
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += skip)
      for (const step of steps) found.push(step * 10 ** power);
    const inside = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    if (inside.length > 2) return inside;
  }
  const rough = (high - low) / count;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = base * [1, 2, 2.5, 5, 10].find((factor) => factor * base >= rough);
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + 1e-9 * step; index++)
    found.push(Number((index * step).toPrecision(12)));
  return found;
}

const scale = (low, high, from, to, log) => {
  const place = log ? Math.log : (value) => value;
  const [a, b] = [place(low), place(high)];
  const map = (value) => from + ((place(value) - a) / (b - a)) * (to - from);
  return Object.assign(map, { low, high, log });
};
