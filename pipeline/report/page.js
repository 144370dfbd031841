"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const narrow = matchMedia("(max-width: 640px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "resetScale2d"]],
    toImageButtonOptions: { format: "png", scale: 2 },
  };

  // Figures name custom properties; a chart takes their values from the theme in force.
  function themed(value, style) {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => themed(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, style)]));
    }
    return value;
  }

  // On a narrow screen the names of bars stand above them, since beside them they would leave no room for the bars.
  function fitted(layout) {
    if (!narrow.matches || !layout.meta) return layout;
    if (layout.meta.short) {
      layout.yaxis.ticktext = layout.meta.short;
      layout.xaxis.showticklabels = false;
    }
    if (!layout.meta.rows) return layout;
    const rows = layout.meta.rows;
    const extra = 16 * rows.length;
    layout.height += extra;
    layout.bargap = 0.55;
    layout.yaxis.showticklabels = false;
    layout.margin.l = 4;
    layout.annotations = rows.map((text, row) => ({
      text, x: 0, xref: "paper", xanchor: "left", y: row - 0.23, yanchor: "bottom", showarrow: false, font: { size: 12 },
    }));
    layout.yaxis.range = [rows.length - 0.6, -0.75];
    return layout;
  }

  function draw() {
    const style = getComputedStyle(root);
    const common = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: style.getPropertyValue("--sans"), size: 12.5, color: style.getPropertyValue("--ink").trim() },
      hoverlabel: {
        bgcolor: style.getPropertyValue("--raised").trim(),
        bordercolor: style.getPropertyValue("--line").trim(),
        font: { family: style.getPropertyValue("--sans"), size: 13, color: style.getPropertyValue("--ink").trim() },
        align: "left",
      },
      modebar: {
        bgcolor: "rgba(0,0,0,0)",
        color: style.getPropertyValue("--muted").trim(),
        activecolor: style.getPropertyValue("--ink").trim(),
      },
      dragmode: narrow.matches ? false : "zoom",
    };
    for (const [id, figure] of Object.entries(figures)) {
      const { data, layout } = themed(figure, style);
      const place = document.getElementById(id);
      const drawn = { ...common, ...fitted(layout) };
      place.style.minHeight = `${drawn.height}px`;
      Plotly.react(place, data, drawn, { ...config, displayModeBar: narrow.matches ? false : "hover" });
    }
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    draw();
  });
  dark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);

  // A spreadsheet takes a cell that starts like a formula for one; what came from a crawl must not run there.
  function cell(element) {
    if (element.dataset.value !== undefined) return element.dataset.value;
    const text = element.textContent.replace(/\s+/g, " ").trim();
    return /^[=+\-@]/.test(text) ? `'${text}` : text;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const rows = [...button.parentElement.querySelectorAll("tr")];
      await copy(rows.map((row) => [...row.cells].map(cell).join("\t")).join("\n"));
      button.textContent = "Copied";
      button.classList.add("done");
      setTimeout(() => {
        button.textContent = "Copy";
        button.classList.remove("done");
      }, 1500);
    });
  }

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const inView = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) inView[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const current = [...links.keys()].find((id) => inView.has(id));
    if (!current) return;
    for (const [id, link] of links) {
      if (id !== current) {
        link.removeAttribute("aria-current");
      } else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const bar = link.parentElement;
        if (bar.scrollWidth > bar.clientWidth) bar.scrollLeft = link.offsetLeft - bar.clientWidth / 3;
      }
    }
  }, { rootMargin: "-15% 0px -70% 0px" });
  for (const section of document.querySelectorAll("section")) observer.observe(section);

  draw();
  root.dataset.drawn = Object.keys(figures).length;
})();
