#!/bin/sh
# The timeline page in a real browser: at 10 and at 500 children, on a phone's width and a wide
# screen, light and dark; it is hovered, zoomed, searched and scrolled by its own events. TAP.
# With a second folder as argument, the picture that the README shows is written there.
set -u
sim=$1 pictures=${2:-}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
    echo "1..0 # SKIP there is no Chromium here"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0

# A scenario with so many children that crash, are restarted, paused and aborted.
scenario() {
    echo "scenario: $1 children under load"
    echo "tree:"
    echo "  children:"
    i=0
    while [ $i -lt "$1" ]; do
        case $((i % 5)) in
        0) model="[ready, cancel-takes 400ms]" ;;
        1) model="[ready, run 700ms, exit 1]" ;;
        2) model="[ready, ignore-cancel]" ;;
        3) model="[run 300ms, ready, run 2s, die SIGSEGV]" ;;
        4) model="[ready, beat every 1s]" ;;
        esac
        echo "    - {name: worker-$i, restart: permanent, stop: {timeout: 1s}, backoff: {initial: 200ms}, model: $model}"
        i=$((i + 1))
    done
    echo "steps:"
    echo "  - {at: 500ms, restart: worker-0}"
    echo "  - {at: 600ms, restart: worker-0}"
    echo "  - {at: 1s, restart: worker-2}"
    echo "  - {at: 1500ms, pause: worker-1}"
    echo "  - {at: 3s, late_exit: worker-0}"
    echo "  - {at: 5s, expect: {child: worker-4, status: ready}}"
}

# What a person does, done by the page's own events; the answer becomes the page's title.
cat >"$work/act.js" <<'JS'
const said = [];
const say = (name, good) => said.push((good ? "ok " : "NOT ") + name);
const at = (type, x, y, more) => canvas.dispatchEvent(new PointerEvent(type, Object.assign(
  { bubbles: true, pointerId: 1, clientX: canvas.getBoundingClientRect().left + x,
    clientY: canvas.getBoundingClientRect().top + y }, more)));
const key = name => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
try {
  say("lanes", shown.length === data.lanes.length && data.bars.length > 0);
  say("no overflow", document.documentElement.scrollWidth <= innerWidth);
  const bar = hits.find(hit => hit[4].includes("generation"));
  at("pointermove", (bar[0] + bar[2]) / 2, (bar[1] + bar[3]) / 2);
  say("hover", tip.style.display === "block" && /generation|fence|cancel|command/.test(tip.textContent));
  say("tip within the page", tip.getBoundingClientRect().right <= innerWidth + 1);
  const before = to - from;
  canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -300, ctrlKey: true, clientX: 200, clientY: 200 }));
  say("zoom by wheel", to - from < before);
  document.getElementById("out").click();
  const wide = to - from;
  document.getElementById("in").click();
  say("zoom by button", to - from < wide);
  key("+"); const near = from; key("ArrowRight");
  say("keys", from > near);
  document.getElementById("fit").click();
  say("all", from === 0 && to === data.end);
  const find = document.getElementById("find");
  find.value = "worker-3"; find.dispatchEvent(new Event("input"));
  say("search", shown.length > 0 && shown.every(lane => data.lanes[lane].includes("worker-3")));
  find.value = ""; find.dispatchEvent(new Event("input"));
  scroll = 1e9; draw();
  say("scroll", shown.length * lane() < canvas.clientHeight || scroll > 0);
  const start = performance.now();
  for (let i = 0; i < 20; i++) { setRange(data.end * i / 40, data.end * (i + 20) / 40); draw(); }
  say("quick", (performance.now() - start) / 20 < 100);
  document.getElementById("fit").click(); scroll = 0; draw();
  const painted = pen.getImageData(0, 0, canvas.width, canvas.height).data, colours = new Set();
  for (let i = 0; i < painted.length; i += 4 * 97) colours.add(painted[i] << 16 | painted[i + 1] << 8 | painted[i + 2]);
  say("painted", colours.size > 4);
  say("theme", matchMedia("(prefers-color-scheme: dark)").matches === (paint.bg === "#0d1117"));
} catch (error) { said.push("NOT " + error.message); }
document.body.dataset.said = said.join("; ");
JS

browse() { # page, width, height, scheme (0 dark, 1 light), what
    rm -rf "$work/profile"
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --hide-scrollbars --user-data-dir="$work/profile" --window-size="$2,$3" \
        --blink-settings="preferredColorScheme=$4" "$5" "file://$1" 2>"$work/browser.log"
}

for children in 10 500; do
    scenario $children >"$work/s.yaml"
    "$sim" run "$work/s.yaml" --trace "$work/s.trace" >"$work/out" 2>&1 || sed 's/^/# /' "$work/out"
    "$sim" timeline "$work/s.trace" -o "$work/page.html"
    { sed '/<\/body>/,$d' "$work/page.html"; echo "<script>"; cat "$work/act.js"; echo "</script></body></html>"; } \
        >"$work/acting.html"
    for screen in "390 844 phone" "1600 900 wide"; do
        for scheme in "1 light" "0 dark"; do
            set -- $screen $scheme
            browse "$work/acting.html" "$1" "$2" "$4" --dump-dom >"$work/dom"
            said=$(sed -n 's/.*data-said="\([^"]*\)".*/\1/p' "$work/dom")
            n=$((n + 1))
            case $said in
            "" | *NOT*) echo "not ok $n - $children children, $3, $5: ${said:-the page said nothing}" ;;
            *) echo "ok $n - $children children, $3, $5" ;;
            esac
        done
    done
    [ -n "$pictures" ] && [ $children = 10 ] &&
        browse "$work/page.html" 1100 560 1 "--screenshot=$pictures/timeline.png" >/dev/null
done
echo "1..$n"
