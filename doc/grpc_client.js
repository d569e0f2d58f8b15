// SPDX-License-Identifier: LGPL-3.0-or-later
// rpio.v1 from Node: npm install @grpc/grpc-js @grpc/proto-loader; node grpc_client.js 127.0.0.1:50051 rpio_v1.proto
const grpc = require("@grpc/grpc-js"), loader = require("@grpc/proto-loader");
const [where, proto] = process.argv.slice(2);
const { rpio } = grpc.loadPackageDefinition(loader.loadSync(proto, { defaults: true, longs: Number }));
const [board, i2c, gpio] = ["Board", "I2c", "Gpio"].map(
  (name) => new rpio.v1[name](where, grpc.credentials.createInsecure()));
const ask = (stub, name, request = {}) => new Promise((done, fail) =>
  stub[name](request, (error, reply) => (error ? fail(error) : done(reply))));

(async () => {
  const info = await ask(board, "Info");
  console.log(`${info.board} by RPIO ${info.version}`);
  const { data } = await ask(i2c, "ReadBlock", { bus: 1, address: 0x10, register: 0x0a, length: 32 });
  console.log(`the radio is a ${data.subarray(12, 14).toString("hex")}`);
  await ask(i2c, "ReadByte", { bus: 1, address: 0x11 }).catch((error) =>
    console.log(`0x11: ${error.details} (errno ${error.metadata.get("rpio-errno")})`));
  await ask(gpio, "Setup", { line: 17, direction: "OUT", level: 1 });
  console.log(`GPIO 17 is ${(await ask(gpio, "Read", { lines: [17] })).levels}`);
  await ask(gpio, "Setup", { line: 4, direction: "IN", pull: "UP" });
  const edges = gpio.Watch({ lines: [4] });
  edges.on("metadata", () => console.log("press the button at GPIO 4"));
  edges.on("data", (edge) => { console.log(`GPIO ${edge.line} is ${edge.level}, edge ${edge.seq}`); edges.cancel(); });
  edges.on("error", () => [board, i2c, gpio].forEach((stub) => stub.close()));
})();
