// Fills the lists of the static pages from the gateway's JSON answers.
for (const list of document.querySelectorAll("[data-source]")) {
  fetch(list.dataset.source).then((answer) => answer.json()).then((items) => {
    for (const item of Array.isArray(items) ? items : []) {
      const line = document.createElement("li");
      line.textContent = item.text || item.followee_id;
      list.append(line);
    }
  });
}
