// The only ways in which this page writes to the document. Text goes in as text: a market's title can be anything.

/** Set a node's text if it is another one: most cells are the same as a second ago. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set a node's class if it is another one. */
export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

/** An element with a class, and text or children in it. */
export function element(tag, name = "", ...content) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content);
  return made;
}

/** Terms and descriptions of a list, updated in place. `facts` are pairs of texts; a third entry is the description's class. */
export function showFacts(list, facts) {
  while (list.children.length > 2 * facts.length) list.lastElementChild.remove();
  facts.forEach(([term, description, name = ""], place) => {
    if (list.children.length <= 2 * place) list.append(element("dt"), element("dd"));
    setText(list.children[2 * place], term);
    setText(list.children[2 * place + 1], description);
    setClass(list.children[2 * place + 1], name);
  });
}

/** Counts as bars, the largest first, at most `most` of them; the rest is summed up in a last line. */
export function showBars(list, counts, { most = Infinity, words, count }) {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  const shown = sorted.length > most ? sorted.slice(0, most - 1) : sorted;
  const rest = sorted.slice(shown.length);
  const lines = shown.map(([reason, number]) => [words(reason), number]);
  if (rest.length) lines.push([`${rest.length} more reasons`, rest.reduce((sum, [, number]) => sum + number, 0)]);
  const largest = Math.max(1, ...lines.map(([, number]) => number));
  while (list.children.length > lines.length) list.lastElementChild.remove();
  lines.forEach(([label, number], place) =>
    showBar(list.children[place] ?? list.appendChild(newBar()), label, count(number), number / largest),
  );
}

function newBar() {
  const line = element("li", "", element("span", "label"), element("span", "track", element("span", "bar")), element("span", "count"));
  return line;
}

function showBar(line, label, number, share) {
  setText(line.children[0], label);
  line.children[0].title = label;
  line.children[1].firstElementChild.style.width = `${Math.max(2, Math.round(share * 100))}%`;
  setText(line.children[2], number);
}
