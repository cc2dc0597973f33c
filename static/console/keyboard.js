/* Keys for lists and record pages: j and k through rows, Enter or e opens, / searches, ? says which keys there are.
   Off while something is typed, while a dialog is open, and for whoever switches them off in the help. */
"use strict";

(() => {
    const OFF = "paymentsite-keys-off";
    const rows = () => [...document.querySelectorAll("#result_list tr.data-row")];
    const search = () => document.querySelector("#searchbar, form[role=search] input[name=q]");
    const filters = () => document.querySelector("[data-ps-filters], a[x-on\\:click*=filterOpen], button[x-on\\:click*=filterOpen]");
    const marked = (key) => document.querySelector(`[data-key="${key}"], [aria-keyshortcuts="${key}"]`);
    const link = (row) => row.querySelector("th a[href], td a[href]");
    let chosen = -1;

    const isOff = () => localStorage.getItem(OFF) === "1";

    function isTyping(target) {
        return target instanceof Element
            && target.closest("input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=submit]), textarea, select, [contenteditable=true]") !== null;
    }

    function choose(step) {
        const all = rows();
        if (!all.length) return false;
        const active = all.findIndex((row) => row.contains(document.activeElement));
        const from = active >= 0 ? active : chosen;
        chosen = Math.min(Math.max(from + step, 0), all.length - 1);
        all.forEach((row, index) => row.classList.toggle("ps-row-chosen", index === chosen));
        const row = all[chosen];
        const target = link(row) || row;
        if (target === row) row.tabIndex = -1;
        /* The focus goes along, so that Enter opens and a screen reader says which row it is. */
        target.focus({ preventScroll: true });
        row.scrollIntoView({ block: "nearest" });
        return true;
    }

    function open() {
        const row = rows()[chosen];
        const target = row && link(row);
        if (!target) return false;
        target.click();
        return true;
    }

    function press(element) {
        if (!element) return false;
        element.click();
        return true;
    }

    function focusSearch() {
        const field = search();
        if (!field) return false;
        field.focus();
        field.select();
        return true;
    }

    /* Key, what it does, whether this page has it, and the deed. */
    const KEYS = [
        ["j", "next row", () => rows().length > 0, () => choose(1)],
        ["k", "row before", () => rows().length > 0, () => choose(-1)],
        ["Enter", "open the row", () => rows().length > 0, null],
        ["e", "open the row's page", () => rows().length > 0, open],
        ["/", "search", () => search() !== null, focusSearch],
        ["f", "filters", () => filters() !== null, () => press(filters())],
        ["a", "approve", () => marked("a") !== null, () => press(marked("a"))],
        ["d", "refuse", () => marked("d") !== null, () => press(marked("d"))],
        ["n", "write a note", () => marked("n") !== null, () => press(marked("n"))],
        ["?", "this help", () => true, () => help()],
    ];

    function help() {
        const dialog = document.createElement("dialog");
        dialog.className = "ps-keys";
        dialog.setAttribute("aria-labelledby", "ps-keys-title");
        const title = document.createElement("h2");
        title.id = "ps-keys-title";
        title.textContent = "Keys on this page";
        const list = document.createElement("dl");
        KEYS.filter(([, , isHere]) => isHere()).forEach(([key, meaning]) => {
            const term = document.createElement("dt");
            const shown = document.createElement("kbd");
            shown.textContent = key;
            term.append(shown);
            const said = document.createElement("dd");
            said.textContent = meaning;
            list.append(term, said);
        });
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.checked = !isOff();
        box.addEventListener("change", () => {
            if (box.checked) localStorage.removeItem(OFF);
            else localStorage.setItem(OFF, "1");
        });
        label.append(box, " Use these keys in this browser");
        const close = document.createElement("button");
        close.type = "button";
        close.className = "ps-button";
        close.textContent = "Close";
        close.addEventListener("click", () => dialog.close());
        dialog.append(title, list, label, close);
        dialog.addEventListener("close", () => dialog.remove());
        document.body.append(dialog);
        dialog.showModal();
        return true;
    }

    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.repeat && event.key === "?") return;
        if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
        if (isOff() || isTyping(event.target) || document.querySelector("dialog[open]")) return;
        const found = KEYS.find(([key, , isHere, deed]) => key === event.key && deed && isHere());
        if (found && found[3]()) event.preventDefault();
    });

    document.addEventListener("DOMContentLoaded", () => {
        const place = document.querySelector("#content-main");
        if (!place) return;
        const button = document.createElement("button");
        button.type = "button";
        button.className = "ps-keys-button";
        button.textContent = "Keys";
        button.setAttribute("aria-label", "Keys of the keyboard");
        button.addEventListener("click", help);
        place.append(button);
    });
})();
