// The restart window and the fence, drawn.
import { svg } from "./dom.js";
import { ago, duration, now } from "./words.js";

// As wide as there is room, so that the words in it keep their size.
const room = () => Math.max(260, Math.min(600, document.documentElement.clientWidth - 60));

// The counted exits within the sliding window, oldest at the left, as many places as the burst has below.
export function drawWindow(child, events) {
    const WIDTH = room(), interval = child.RestartLimitIntervalUSec, burst = child.RestartLimitBurst, used = child.RestartsUsed;
    const until = now() * 1000;
    const x = at => 10 + (WIDTH - 20) * (1 - (until - at) / interval);
    const exits = events.filter(entry => entry.fields.counted === true && until - entry.realtime < interval && until >= entry.realtime);
    const shown = Math.min(burst, 40), width = Math.min(24, (WIDTH - 20) / Math.max(shown, 1) - 2);
    const title = `${used} of ${burst} counted exits within ${duration(interval)}${child.RestartLimitExhausted ? ": used up" : ""}`;
    return svg("svg", { viewBox: `0 0 ${WIDTH} 86`, class: `window ${child.RestartLimitExhausted ? "bad" : ""}`, role: "img", "aria-label": title },
        svg("line", { class: "axis", x1: 10, x2: WIDTH - 10, y1: 30, y2: 30 }),
        [0, 0.25, 0.5, 0.75, 1].map(part => svg("line", { class: "axis", x1: 10 + (WIDTH - 20) * part, x2: 10 + (WIDTH - 20) * part, y1: 27, y2: 33 })),
        exits.map(entry => svg("path", { class: "exit", d: `M${x(entry.realtime) - 5} 12h10l-5 15z` },
            svg("title", {}, `${entry.fields.exit || "spawn failed"}, ${ago(entry.realtime)}`))),
        svg("text", { x: 10, y: 48 }, `${duration(interval)} ago`),
        svg("text", { x: WIDTH - 10, y: 48, "text-anchor": "end" }, "now"),
        Array.from({ length: shown }, (_, index) => svg("rect", {
            class: index < used ? "used" : "free", x: 10 + index * (width + 2), y: 58, width, height: 14, rx: 2
        })),
        burst === 0 ? svg("text", { x: 10, y: 72 }, "no restart after a failure: burst is 0") : null,
        burst > shown ? svg("text", { x: WIDTH - 10, y: 84, "text-anchor": "end" }, `${burst} in all`) : null);
}

// The old attempt, the fence and the generation behind it.
export function drawFence(child) {
    const pending = child.PendingRestart || {}, waiting = child.FencePhase !== "open" && "TargetGeneration" in pending;
    const old = child.Attempt ? `generation ${child.Generation}, attempt ${child.Attempt}` : "no attempt";
    const WIDTH = room(), wide = WIDTH * 0.42, right = WIDTH - wide - 4, middle = WIDTH / 2;
    const box = (x, label, kind, below) => [
        svg("rect", { class: `box ${kind}`, x, y: 10, width: wide, height: 40, rx: 4 }),
        svg("text", { x: x + wide / 2, y: 35, "text-anchor": "middle", textLength: label.length * 7 > wide ? wide - 8 : null, lengthAdjust: "spacingAndGlyphs" }, label),
        below ? svg("text", { class: "small", x: x + wide / 2, y: 66, "text-anchor": "middle" }, below) : null];
    return svg("svg", { viewBox: `0 0 ${WIDTH} 90`, class: "fence", role: "img", "aria-label": `fence: ${child.FencePhase}; ${old}${waiting ? `; generation ${pending.TargetGeneration} waits` : ""}` },
        box(4, old, child.Attempt ? "there" : "gone", child.Attempt ? child.StopState.replaceAll("-", " ") : ""),
        svg("line", { class: `gate ${waiting ? "closed" : ""}`, x1: middle, x2: middle, y1: 4, y2: 70 }),
        svg("text", { class: "small", x: middle, y: 84, "text-anchor": "middle" }, child.FencePhase.replaceAll("-", " ")),
        waiting ? box(right, `generation ${pending.TargetGeneration}`, "waits", pending.DuplicateRequestCount ? `${pending.DuplicateRequestCount} more asked for it` : "waits behind the fence")
            : svg("text", { class: "small", x: right + wide / 2, y: 35, "text-anchor": "middle" }, "nothing waits"));
}
