// Elements from text. Text of children (names, STATUS=, logs) is hostile: here it only ever becomes text.

function make(node, properties, children) {
    for (const [key, value] of Object.entries(properties || {})) {
        if (key.startsWith("on"))
            node.addEventListener(key.slice(2), value);
        else if (value === true)
            node.setAttribute(key, "");
        else if (value !== false && value !== null && value !== undefined)
            node.setAttribute(key, value);
    }
    node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
    return node;
}

export function el(name, properties, ...children) {
    return make(document.createElement(name), properties, children);
}

export function svg(name, properties, ...children) {
    return make(document.createElementNS("http://www.w3.org/2000/svg", name), properties, children);
}

export function button(label, onclick, kind = "secondary", more = {}) {
    return el("button", { type: "button", class: `button ${kind}`, onclick, ...more }, label);
}

// A word with a shape and a colour: it is told apart without the colour, too.
export function badge(state) {
    return el("span", { class: `badge ${state.kind}` }, el("span", { class: "mark", "aria-hidden": "true" }, state.mark), state.word);
}

// Terms with their values; what has no value has no row.
export function list(rows) {
    return el("dl", { class: "list" }, rows.filter(([, value]) => value !== "" && value !== null && value !== undefined)
        .map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
}

export function card(title, ...children) {
    return el("section", { class: "card", "aria-label": title }, el("h2", {}, title), ...children);
}

export function table(caption, heads, rows, empty) {
    if (!rows.length)
        return el("p", { class: "empty" }, empty);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        el("table", {}, el("caption", { class: "hidden" }, caption),
            el("thead", {}, el("tr", {}, heads.map(head => el("th", { scope: "col" }, head)))),
            el("tbody", {}, rows.map(row => el("tr", {}, row.map(cell => el("td", {}, cell)))))));
}
