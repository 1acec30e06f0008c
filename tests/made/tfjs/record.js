// Writes small models in the dialects of TensorFlow.js, and what TensorFlow.js itself reads of them.
//
//     npm install @tensorflow/tfjs@4.22.0 && node record.js
//
// `recorded.json` has for each model its layers, for each weight its shape, type and the SHA-256 of its
// values, little-endian, and the outputs for the inputs of `example`.

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const tf = require("@tensorflow/tfjs");

const HERE = __dirname;

// Both quantizations of the converter: numbers of 8 or 16 bits that stand for scale * number + min,
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

const FLOAT = { type: "DT_FLOAT" };
const SAME = { s: Buffer.from("SAME").toString("base64") };
const NHWC = { s: Buffer.from("NHWC").toString("base64") };

function strings(...values) {
  return { list: { s: values.map((value) => Buffer.from(value).toString("base64")) } };
}

// The operations that the converter makes of a layer and its activation.
function writeFused(name) {
  const weights = [];
  const constant = (called, shape) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(3 * i + weights.length),
    );
    weights.push({ spec: { name: called, shape, dtype: "float32" }, values });
    const tensor = { dtype: "DT_FLOAT", tensorShape: { dim: shape.map((size) => ({ size: `${size}` })) } };
    return { name: called, op: "Const", attr: { dtype: FLOAT, value: { tensor } } };
  };
  const window = {
    T: FLOAT,
    data_format: NHWC,
    dilations: { list: { i: ["1", "1", "1", "1"] } },
    explicit_paddings: { list: {} },
    padding: SAME,
    strides: { list: { i: ["1", "1", "1", "1"] } },
  };
  const fused = (steps, count) => ({
    epsilon: { f: 0 },
    fused_ops: strings(...steps),
    leakyrelu_alpha: { f: 0.3 },
    num_args: { i: `${count}` },
  });
  const shape = { dim: [{ size: "-1" }, { size: "4" }, { size: "4" }, { size: "2" }] };
  const node = [
    { name: "x", op: "Placeholder", attr: { dtype: FLOAT, shape: { shape } } },
    constant("conv/kernel", [3, 3, 2, 3]),
    constant("conv/bias", [3]),
    constant("conv/alpha", [1, 1, 3]),
    {
      name: "conv",
      op: "_FusedConv2D",
      input: ["x", "conv/kernel", "conv/bias", "conv/alpha"],
      attr: { ...window, use_cudnn_on_gpu: { b: true }, ...fused(["BiasAdd", "Prelu"], 2) },
    },
    constant("depthwise/kernel", [3, 3, 3, 1]),
    constant("depthwise/bias", [3]),
    {
      name: "depthwise",
      op: "FusedDepthwiseConv2dNative",
      input: ["conv", "depthwise/kernel", "depthwise/bias"],
      attr: { ...window, ...fused(["BiasAdd", "Relu6"], 1) },
    },
    constant("alpha", [1, 1, 3]),
    { name: "prelu", op: "Prelu", input: ["depthwise", "alpha"], attr: { T: FLOAT } },
    constant("last/kernel", [3, 3, 3, 2]),
    constant("last/bias", [2]),
    {
      name: "last",
      op: "_FusedConv2D",
      input: ["prelu", "last/kernel", "last/bias"],
      attr: { ...window, ...fused(["BiasAdd", "LeakyRelu"], 1) },
    },
    {
      name: "Mean/axes",
      op: "Const",
      attr: { dtype: { type: "DT_INT32" }, value: { tensor: { dtype: "DT_INT32", tensorShape: { dim: [{ size: "2" }] } } } },
    },
    {
      name: "mean",
      op: "Mean",
      input: ["last", "Mean/axes"],
      attr: { T: FLOAT, Tidx: { type: "DT_INT32" }, keep_dims: { b: false } },
    },
    constant("dense/kernel", [2, 3]),
    constant("dense/bias", [3]),
    {
      name: "dense",
      op: "_FusedMatMul",
      input: ["mean", "dense/kernel", "dense/bias"],
      attr: { T: FLOAT, transpose_a: { b: false }, transpose_b: { b: false }, ...fused(["BiasAdd", "Elu"], 1) },
    },
  ];
  weights.push({ spec: { name: "Mean/axes", shape: [2], dtype: "int32" }, values: Int32Array.of(1, 2) });
  const signature = {
    inputs: { x: { name: "x:0", dtype: "DT_FLOAT", tensorShape: shape } },
    outputs: { y: { name: "dense:0", dtype: "DT_FLOAT" } },
  };
  const json = { format: "graph-model", generatedBy: "2.12.0", convertedBy: "TensorFlow.js Converter v4.22.0" };
  write(name, { ...json, signature, modelTopology: { node, versions: { producer: 1482 } } }, weights, 1);
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

// Two samples of an input: waves, or the numbers of words.
function example({ shape, dtype }) {
  const sizes = [2, ...shape.slice(1)];
  const count = sizes.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: count }, (_, i) => (dtype === "int32" ? i % 9 : Math.sin(i)));
  return tf.tensor(values, sizes, dtype);
}

function answers(model) {
  const made = model.predict(model.inputs.map(example));
  return (Array.isArray(made) ? made : [made]).map((each) => each.arraySync());
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
    return { weights, inputs: graph.inputs.map((each) => each.name), outputs: answers(graph) };
  }
  const model = await tf.loadLayersModel(handler);
  return { weights, layers: model.layers.map((layer) => layer.name), outputs: answers(model) };
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
  const gates = { returnSequences: true, recurrentActivation: "hardSigmoid" };
  const steps = tf.sequential({
    layers: [
      tf.layers.bidirectional({ layer: tf.layers.lstm({ units: 3, ...gates }), inputShape: [5, 4] }),
      tf.layers.gru({ units: 4, ...gates }),
      tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 3 }) }),
      tf.layers.simpleRNN({ units: 2 }),
    ],
  });
  const image = tf.input({ shape: [6, 6, 2], name: "image" });
  const more = tf.input({ shape: [3], name: "more" });
  const half = tf.layers.separableConv2d({ filters: 2, kernelSize: 3, padding: "same" });
  const left = tf.layers.prelu({ sharedAxes: [1, 2] }).apply(half.apply(image));
  const right = tf.layers.leakyReLU({ alpha: 0.2 }).apply(half.apply(left));
  const sum = tf.layers.layerNormalization().apply(tf.layers.add().apply([left, right]));
  const raised = tf.layers.conv2dTranspose({ filters: 2, kernelSize: 2, strides: 2 }).apply(sum);
  const flat = tf.layers.globalMaxPooling2d({}).apply(raised);
  const joined = tf.layers.concatenate().apply([flat, tf.layers.reLU().apply(more)]);
  const first_ = tf.layers.dense({ units: 2, activation: "sigmoid", name: "one" }).apply(joined);
  const second = tf.layers.dense({ units: 3, activation: "softmax", name: "two" }).apply(joined);
  const branches = tf.model({ inputs: [image, more], outputs: [first_, second] });
  await writeLayers("plain", conv, 1);
  await writeLayers("shards", conv, 3);
  for (const kind of ["uint8", "uint16", "float16"]) {
    await writeLayers(kind, conv, 2, kind);
  }
  await writeLayers("nested", nested, 1);
  await writeLayers("texts", texts, 1);
  await writeLayers("steps", steps, 1);
  await writeLayers("branches", branches, 1);
  writeGraph("graph");
  writeFused("fused");
  const told = {};
  const layers = ["plain", "shards", "uint8", "uint16", "float16", "nested", "texts", "steps", "branches"];
  for (const name of [...layers, "graph", "fused"]) {
    told[name] = await recorded(name);
  }
  fs.writeFileSync(path.join(HERE, "recorded.json"), `${JSON.stringify(told, null, 1)}\n`);
}

main();
