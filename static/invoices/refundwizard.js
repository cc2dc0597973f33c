/* The first step of the refund wizard: ticking a part or changing its amount means "only parts", and the sum is shown
   while it is typed. The server decides; without this file the form works the same. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const panel = document.querySelector("[data-refund-wizard]");
    if (!panel) return;
    const sum = panel.querySelector("[data-sum]");
    const onlyParts = panel.querySelector('input[name=scope][value=parts]');
    const rows = [...panel.querySelectorAll('input[name=part]:not(:disabled)')].map((tick) => ({
        tick,
        amount: panel.querySelector(`input[name="amount-${CSS.escape(tick.value)}"]`),
    }));

    /* Cents as integers, so that no sum has a tail; null for what is no amount. */
    function cents(text) {
        const written = /^\$?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,13})(?:\.([0-9]{1,2}))?$/.exec(text.trim());
        return written ? Number(written[1].replaceAll(",", "")) * 100 + Number((written[2] || "").padEnd(2, "0")) : null;
    }

    function shown(value) {
        return `${Math.floor(value / 100).toLocaleString("en")}.${String(value % 100).padStart(2, "0")} ${panel.dataset.currency}`;
    }

    function show() {
        const takesParts = onlyParts.checked;
        let total = 0;
        let problem = "";
        for (const { tick, amount } of rows) {
            const value = takesParts ? cents(amount.value) : cents(amount.dataset.left);
            if (takesParts && !tick.checked) continue;
            if (value === null) problem = "One of the amounts cannot be read.";
            else if (value > cents(amount.dataset.left)) problem = "One of the amounts is more than what is left.";
            else total += value;
        }
        sum.hidden = false;
        sum.textContent = problem || (takesParts && total === 0 ? "Tick what goes back." : `Goes back: ${shown(total)}`);
        sum.classList.toggle("ps-wrong-note", problem !== "");
    }

    for (const { tick, amount } of rows) {
        tick.addEventListener("change", () => { onlyParts.checked = true; });
        amount.addEventListener("input", () => { tick.checked = true; onlyParts.checked = true; });
    }
    panel.addEventListener("input", show);
    panel.addEventListener("change", show);
    show();
});
