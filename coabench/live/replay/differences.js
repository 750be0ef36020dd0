// Where answerers that were asked about the same crop differ: how often, at which times, and what each card says of it.
"use strict";

coabench.differences = (session) => {
  const { element } = coabench;
  const { answers, answerers } = session;
  const several = answerers.length > 1;

  // A look is what all answered about one crop: answerer -> answer. The first that answered is what others differ from.
  const looks = new Map();
  if (several) for (let i = 0; i < session.total; i += 1) {
    const key = `${answers.face[i]} ${answers.frame[i]} ${answers.file[i]}`;
    if (!looks.has(key)) looks.set(key, new Map());
    looks.get(key).set(answers.answerer[i], i);
  }
  const agree = (i, j) => answers.label[i] >= 0 && answers.label[i] === answers.label[j];
  const mates = new Map(); // the answer of another than the first -> the first one's about the same crop
  const pairs = answerers.flatMap((_, a) => answerers.slice(a + 1).map((__, n) => ({ a, b: a + 1 + n, looks: 0, agreed: 0 })));
  for (const look of looks.values()) {
    const first = look.get(Math.min(...look.keys()));
    for (const i of look.values()) if (i !== first) mates.set(i, first);
    for (const pair of pairs) {
      if (!look.has(pair.a) || !look.has(pair.b)) continue;
      pair.looks += 1;
      pair.agreed += agree(look.get(pair.a), look.get(pair.b));
    }
  }
  const differs = (i) => mates.has(i) && !agree(i, mates.get(i));
  const times = [...new Set([...mates.keys()].filter(differs).map((i) => answers.time[i]))].sort((a, b) => a - b);
  const name = (i) => answerers[answers.answerer[mates.get(i)]];

  return {
    several, times, differs,
    // In words, of an answer that has one to be compared with; null of others.
    words: (i) => (mates.has(i) ? `${differs(i) ? "differs from" : "agrees with"} ${coabench.visible(name(i))}` : null),
    // The name of the answerer that a line is compared with; null where it is with none.
    against(line) {
      const i = line.rows.find((row) => mates.has(row));
      return i === undefined ? null : coabench.visible(name(i));
    },
    // What stands above the lanes: the agreement of each pair.
    list: () => pairs.map(({ a, b, looks: all, agreed }) => element("li", {},
      element("b", {}, coabench.visible(`${answerers[a]} = ${answerers[b]}`)), all ? ` ${((100 * agreed) / all).toFixed(0)} % ` : " – ",
      element("span", { class: "quiet" }, all ? `${agreed.toLocaleString("en")} of ${all.toLocaleString("en")} looks` : "no look in common"))),
    // The next time at which some differ, or the one before; undefined where there is none.
    beside: (time, by) => (by > 0 ? times.find((t) => t > time + 1e-3) : times.findLast((t) => t < time - 1e-3)),
  };
};
