// SPDX-License-Identifier: LGPL-3.0-or-later
// A client of RPIO's own protocol, in plain JavaScript for Node. Usage: node reference_client.js [PORT]
const WORD = /"(?:[^"\\]|\\.)*"|\S+/g;
const LOOKS = ["read", "peek", "pull", "function", "consumer", "losses"]; // asked again, it is another look

class Client {
  constructor(port = 8510, lingerS = 5, onEvent = () => {}) {
    Object.assign(this, { port, lingerS, onEvent, session: "", number: 0, waiting: new Map(), ready: null });
  }

  async connect() { // begin a session, or go on with it: then the server names the same one
    const socket = require("node:net").connect(this.port, "127.0.0.1").setEncoding("utf8").setNoDelay(true);
    let [rest, why, before] = ["", "the server has closed it", this.session];
    socket.on("error", (e) => (why = e.message)).on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      lines.forEach((line) => this.hear(line));
    }).on("close", () => {
      if (this.socket === socket) this.ready = null; // who asks next makes another connection
      const lost = [...this.waiting].filter(([, asked]) => asked.socket === socket);
      const error = Object.assign(new Error(`the connection is lost: ${why}`), { isLost: true });
      for (const [id, asked] of lost) this.waiting.delete(id), asked.failed(error);
    });
    this.socket = socket;
    [, this.session, this.board] = await this.exchange("hello", 1, "me", "js", this.lingerS, before).answer;
    this.ready = true; // also where the session is a new one
    if (before && this.session !== before) throw new Error("the session is over: set the lines up again");
  }

  exchange(...words) { // say it; its number, and the answer that will come
    const id = ++this.number, socket = this.socket;
    const text = words.map((word) => (/^[^\s"#]\S*$/.test(word) ? word : JSON.stringify(`${word}`))).join(" ");
    socket.write(`${text} #${id}\n`);
    return { id, answer: new Promise((done, failed) => this.waiting.set(`#${id}`, { socket, done, failed })) };
  }

  hear(line) {
    const [kind, ...words] = line.match(WORD).map((word) => (word[0] === '"' ? JSON.parse(word) : word));
    const asked = this.waiting.get(words.at(-1));
    if (!asked) return this.onEvent(kind, ...words);
    this.waiting.delete(words.pop());
    return kind === "ok" ? asked.done(words) : asked.failed(new Error(words.join(" ")));
  }

  async ask(...words) { // once and once only, whatever happens to the connection
    await (this.ready ??= this.connect());
    const { id, answer } = this.exchange(...words);
    const said = await answer.catch((e) => (e.isLost ? null : Promise.reject(e)));
    if (said) return said;
    await (this.ready ??= this.connect());
    const [state, ...then] = await this.exchange("fate", id).answer;
    if (state === "failed" || state === "unknown") throw new Error([state, ...then].join(" "));
    return state === "done" && !LOOKS.includes(words[0]) ? then : this.ask(...words);
  }
}
module.exports = { Client };
if (require.main === module) (async (client = new Client(process.argv[2])) => {
  await client.ask("output", 17, 1);
  console.log(`${client.board}\nGPIO 17 is`, ...(await client.ask("read", 17)), ...(await client.ask("bye")));
})();
