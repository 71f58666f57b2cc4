// The order that a person is making, without the page: groups of equal answers, best first, and what is asked next.
// An answer is placed by binary insertion: it is compared with the middle of what still may hold it.
class Ordering {
  constructor(ids, { ranks = {}, judged = [] } = {}) {
    this.ids = ids;
    this.judged = judged;
    this.selected = null;
    this.groups = [];
    for (const id of ids.filter((each) => ranks[each])) this.#insertByMark(id, ranks[id]);
    this.groups.forEach((group) => delete group.mark);
    this.past = [];
    this.#goOn();
  }

  get unplaced() {
    return this.ids.filter((id) => !this.groups.some((group) => group.ids.includes(id)));
  }

  get isComplete() {
    return this.unplaced.length === 0;
  }

  /** Nothing is placed but the first answer, which waits to be compared with. */
  get isUntouched() {
    return this.groups.every((group) => group.assumed);
  }

  /** The answer that a key now acts on: one that was picked, or the one being placed. */
  get active() {
    return this.selected ?? this.candidate;
  }

  /** What the candidate is compared with. */
  get rival() {
    return this.candidate === null ? null : this.groups[this.#middle()].ids[0];
  }

  /** The two that are compared, in the order in which all are shown. */
  get pair() {
    return this.ids.filter((id) => id === this.candidate || id === this.rival);
  }

  /** Competition ranks of what is placed: 1, 2, 2, 4. */
  ranks() {
    const ranks = {};
    let before = 0;
    for (const group of this.groups) {
      for (const id of group.ids) ranks[id] = before + 1;
      before += group.ids.length;
    }
    return ranks;
  }

  isTied(id) {
    return this.#groupOf(id)?.ids.length > 1;
  }

  draft() {
    return { ranks: this.ranks(), judged: this.judged };
  }

  /** The better one of the pair; null where they are equal. */
  judge(better) {
    const [candidate, rival, middle] = [this.candidate, this.rival, this.#middle()];
    this.selected = null;
    const verdict = better === null ? "equal" : better === candidate ? "better" : "worse";
    this.#remember();
    this.judged = [...this.judged, [candidate, rival, verdict]];
    this.#dropMarks();
    if (verdict === "equal") this.groups[middle].ids.push(candidate);
    else if (verdict === "better") this.high = middle;
    else this.low = middle + 1;
    if (verdict !== "equal" && this.low < this.high) return;
    if (verdict !== "equal") this.groups.splice(this.low, 0, { ids: [candidate] });
    this.candidate = null;
    this.#goOn();
  }

  /** Gives an answer a number. The same number twice is a tie; gaps close. */
  setRank(id, mark) {
    this.#remember();
    const assumed = this.groups.length === 1 && this.groups[0].assumed && !this.groups[0].ids.includes(id);
    if (assumed) this.groups = [];
    else if (this.#groupOf(id)) this.#keepMarks();
    this.#take(id);
    this.#insertByMark(id, mark);
    this.#settle(id);
  }

  /** One place up (-1) or down (+1): out of a tie first, then past the neighbour. */
  move(id, step) {
    const group = this.#groupOf(id);
    if (!group) return;
    const place = this.groups.indexOf(group);
    const leavesTie = group.ids.length > 1;
    if (!leavesTie && !this.groups[place + step]) return;
    this.#remember();
    this.#dropMarks();
    if (leavesTie) {
      group.ids = group.ids.filter((each) => each !== id);
      this.groups.splice(step < 0 ? place : place + 1, 0, { ids: [id] });
    } else {
      this.groups.splice(place, 1);
      this.groups.splice(place + step, 0, group);
    }
    this.#settle(id);
  }

  tieWithAbove(id) {
    const place = this.groups.indexOf(this.#groupOf(id));
    if (place < 1) return;
    this.#remember();
    this.#dropMarks();
    this.#take(id);
    this.groups[place - 1].ids.push(id);
    this.#settle(id);
  }

  /** The order as it was dragged: lists of equal answers, best first. */
  arrange(groups) {
    this.#remember();
    this.groups = groups.filter((ids) => ids.length).map((ids) => ({ ids: [...ids] }));
    this.selected = null;
    this.#restart();
  }

  unplace(id) {
    this.#remember();
    this.#take(id);
    this.#dropMarks();
    this.selected = null;
    this.#restart();
  }

  pick(id) {
    if (this.candidate !== null && this.unplaced.includes(id)) this.#restart(id);
    else if (this.#groupOf(id)) this.selected = this.selected === id && this.candidate !== null ? null : id;
  }

  undo() {
    const before = this.past.pop();
    if (before) Object.assign(this, JSON.parse(before));
    return Boolean(before);
  }

  #middle() {
    return (this.low + this.high) >> 1;
  }

  #groupOf(id) {
    return this.groups.find((group) => group.ids.includes(id));
  }

  #take(id) {
    for (const group of this.groups) group.ids = group.ids.filter((each) => each !== id);
    this.groups = this.groups.filter((group) => group.ids.length);
  }

  #insertByMark(id, mark) {
    const marks = this.#marks();
    const same = marks.indexOf(mark);
    if (same >= 0) {
      Object.assign(this.groups[same], { mark, assumed: false }).ids.push(id);
      return;
    }
    const after = marks.findIndex((other) => other > mark);
    this.groups.splice(after < 0 ? this.groups.length : after, 0, { ids: [id], mark });
  }

  // Numbers given by hand stay until the order is changed in another way; else a group has its rank.
  #marks() {
    let before = 0;
    return this.groups.map((group) => {
      const rank = before + 1;
      before += group.ids.length;
      return group.mark ?? rank;
    });
  }

  // Before one leaves its place: the others keep the numbers that they show, which is what a new number speaks of.
  #keepMarks() {
    const ranks = this.ranks();
    for (const group of this.groups) group.mark = ranks[group.ids[0]];
  }

  #dropMarks() {
    for (const group of this.groups) {
      delete group.mark;
      delete group.assumed;
    }
  }

  #settle(id) {
    this.selected = this.candidate === id ? null : id;
    this.#restart();
  }

  #restart(first = null) {
    this.candidate = null;
    this.#goOn(first);
  }

  #goOn(first = null) {
    const waiting = this.unplaced;
    if (waiting.length && !this.groups.length) this.groups.push({ ids: [waiting.shift()], assumed: true });
    if (!waiting.length) {
      this.candidate = null;
      return;
    }
    this.selected = null;
    this.candidate = first ?? waiting[0];
    [this.low, this.high] = [0, this.groups.length];
  }

  #remember() {
    const { groups, judged, candidate, low, high, selected } = this;
    this.past.push(JSON.stringify({ groups, judged, candidate, low, high, selected }));
  }
}
