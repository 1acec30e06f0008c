// Writes small models in the dialects of TensorFlow.js, and what TensorFlow.js itself reads of them.
//
//     npm install @tensorflow/tfjs@4.22.0 && node record.js
//
// `recorded.json` has for each model its layers, and for each weight its shape, type and the SHA-256
// of its values, little-endian.

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const tf = require("@tensorflow/tfjs");

const HERE = __dirname;

// Both quantisations of the converter: numbers of 8 or 16 bits that stand for scale * number + min,
// and half precision.
function quantised(values, kind) {
  if (kind === "float16") {
    const halves = Uint16Array.from(values, half);
    return [halves, { dtype: kind, original_dtype: "float32" }];
  }
  const steps = kind === "uint8" ? 255 : 65535;
  const min = Math.min(0, ...values);
  const scale = (Math.max(0, ...values) - min) / steps;
  const numbers = values.map((value) => Math.round((value - min) / scale));
  const stored = kind === "uint8" ? Uint8Array.from(numbers) : Uint16Array.from(numbers);
  return [stored, { dtype: kind, scale, min, original_dtype: "float32" }];
}

// Half precision, cut off: all values of this script are normal numbers of it.
function half(value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const exponent = ((bits >>> 23) & 255) - 112;
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
}

// As the file handler of tfjs-node writes it, or as the converter does.
function write(name, json, weights, shards, kind) {
  const folder = path.join(HERE, name);
  fs.mkdirSync(folder, { recursive: true });
  const specs = [];
  const parts = weights.map(({ spec, values }) => {
    const [stored, quantization] = kind ? quantised(Array.from(values), kind) : [values];
    specs.push(quantization ? { ...spec, quantization } : spec);
    return Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  });
  const data = Buffer.concat(parts);
  const paths = [];
  const size = Math.ceil(data.length / shards);
  for (let i = 0; i < shards; i++) {
    paths.push(shards === 1 ? "weights.bin" : `group1-shard${i + 1}of${shards}.bin`);
    fs.writeFileSync(path.join(folder, paths[i]), data.subarray(i * size, (i + 1) * size));
  }
  const whole = { ...json, weightsManifest: [{ paths, weights: specs }] };
  fs.writeFileSync(path.join(folder, "model.json"), JSON.stringify(whole));
}

async function writeLayers(name, model, shards, kind) {
  let seed = 1;
  const drawn = (w) => tf.randomUniform(w.shape, 0.1, 1, "float32", seed++);
  model.setWeights(model.getWeights().map(drawn));
  await model.save(
    tf.io.withSaveHandler(async (made) => {
      const named = tf.io.decodeWeights(made.weightData, made.weightSpecs);
      const weights = made.weightSpecs.map((spec) => ({ spec, values: named[spec.name].dataSync() }));
      const { modelTopology, format, generatedBy, convertedBy } = made;
      write(name, { format, generatedBy, convertedBy, modelTopology }, weights, shards, kind);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
}

function writeGraph(name) {
  const type = { type: "DT_FLOAT" };
  const shape = { dim: [{ size: "-1" }, { size: "4" }] };
  const constant = { dtype: "DT_FLOAT", tensorShape: { dim: [{ size: "4" }, { size: "3" }] } };
  const node = [
    { name: "x", op: "Placeholder", attr: { dtype: type, shape: { shape } } },
    { name: "dense/kernel", op: "Const", attr: { dtype: type, value: { tensor: constant } } },
    {
      name: "dense/MatMul",
      op: "MatMul",
      input: ["x", "dense/kernel"],
      attr: { T: type, transpose_a: { b: false }, transpose_b: { b: false } },
    },
    { name: "y", op: "Softmax", input: ["dense/MatMul"], attr: { T: type } },
  ];
  const signature = {
    inputs: { x: { name: "x:0", dtype: "DT_FLOAT", tensorShape: shape } },
    outputs: { y: { name: "y:0", dtype: "DT_FLOAT" } },
  };
  const convertedBy = "TensorFlow.js Converter v4.22.0";
  const json = { format: "graph-model", generatedBy: "2.12.0", convertedBy, signature };
  const values = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const spec = { name: "dense/kernel", shape: [4, 3], dtype: "float32" };
  write(name, { ...json, modelTopology: { node, versions: { producer: 1482 } } }, [{ spec, values }], 1);
}

async function recorded(name) {
  const folder = path.join(HERE, name);
  const json = JSON.parse(fs.readFileSync(path.join(folder, "model.json")));
  const read = async (manifest) => {
    const files = manifest.flatMap((group) => group.paths);
    const data = Buffer.concat(files.map((file) => fs.readFileSync(path.join(folder, file))));
    const held = data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
    return [manifest.flatMap((group) => group.weights), held];
  };
  const artifacts = await tf.io.getModelArtifactsForJSON(json, read);
  const weights = {};
  for (const [key, tensor] of Object.entries(
    tf.io.decodeWeights(artifacts.weightData, artifacts.weightSpecs),
  )) {
    const values = tensor.dataSync();
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const sha256 = crypto.createHash("sha256").update(bytes).digest("hex");
    weights[key] = { shape: tensor.shape, dtype: tensor.dtype, sha256 };
  }
  const handler = { load: async () => artifacts };
  if (json.format === "graph-model") {
    const graph = await tf.loadGraphModel(handler);
    return { weights, inputs: graph.inputs.map((each) => each.name) };
  }
  const model = await tf.loadLayersModel(handler);
  return { weights, layers: model.layers.map((layer) => layer.name) };
}

async function main() {
  await tf.setBackend("cpu");
  const conv = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3, activation: "relu" }),
      tf.layers.batchNormalization(),
      tf.layers.depthwiseConv2d({ kernelSize: 3, activation: "relu" }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 5, activation: "softmax" }),
    ],
  });
  const pool = tf.layers.globalAveragePooling2d({});
  const first = tf.layers.conv2d({ inputShape: [6, 6, 2], filters: 4, kernelSize: 3 });
  const features = tf.sequential({ name: "features", layers: [first, pool] });
  const head = tf.layers.dense({ units: 3, useBias: false, activation: "softmax" });
  const nested = tf.sequential({ layers: [features, head] });
  const texts = tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: 9, outputDim: 3, inputLength: 5 }),
      tf.layers.lstm({ units: 2 }),
      tf.layers.dense({ units: 2 }),
    ],
  });
  await writeLayers("plain", conv, 1);
  await writeLayers("shards", conv, 3);
  for (const kind of ["uint8", "uint16", "float16"]) {
    await writeLayers(kind, conv, 2, kind);
  }
  await writeLayers("nested", nested, 1);
  await writeLayers("texts", texts, 1);
  writeGraph("graph");
  const told = {};
  for (const name of ["plain", "shards", "uint8", "uint16", "float16", "nested", "texts", "graph"]) {
    told[name] = await recorded(name);
  }
  fs.writeFileSync(path.join(HERE, "recorded.json"), `${JSON.stringify(told, null, 1)}\n`);
}

main();
