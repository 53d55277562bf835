import type { DType, OnnxAttribute, Shape, TensorData } from '@weft/graph';
import { MessageWriter } from './protobuf.js';

/** Element types as numbered by `TensorProto.DataType`; storage types of weights included. */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

export type StorageType = keyof typeof dataTypes;

/** Where the data of a weight lies: a range of a file, usually inside a `.safetensors`. */
export interface ExternalTensor {
  /** Path relative to the folder given to the session. */
  readonly location: string;
  /** Byte offset of the first element. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly dtype: StorageType;
  /** Shape in the file; the number of elements must be the parameter's. */
  readonly shape: readonly number[];
}

export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface NodeProto {
  readonly type: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface ModelProto {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly constants: ReadonlyMap<string, TensorData>;
  readonly weights: ReadonlyMap<string, ExternalTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** IR version and operator sets: the newest that every execution provider of ORT 1.30 serves. */
const irVersion = 10;
const opsets = [
  ['', 21],
  ['com.microsoft', 1],
] as const;

/** The bytes of an ONNX file. Weights stay where they are; only small constants are inside. */
export function serializeModel(model: ModelProto): Uint8Array {
  const graph = new MessageWriter();
  for (const node of model.nodes) graph.message(1, nodeProto(node));
  graph.string(2, model.name);
  for (const [name, tensor] of model.constants) graph.message(5, constantProto(name, tensor));
  for (const [name, tensor] of model.weights) graph.message(5, externalProto(name, tensor));
  for (const value of model.inputs) graph.message(11, valueInfoProto(value));
  for (const value of model.outputs) graph.message(12, valueInfoProto(value));

  const proto = new MessageWriter().int(1, irVersion).string(2, 'weft').message(7, graph);
  for (const [domain, version] of opsets)
    proto.message(8, new MessageWriter().string(1, domain).int(2, version));
  for (const [key, value] of Object.entries(model.metadata)) proto.message(14, entry(key, value));
  return proto.finish();
}

const entry = (key: string, value: string) => new MessageWriter().string(1, key).string(2, value);

function nodeProto({ type, domain, name, inputs, outputs, attributes }: NodeProto): MessageWriter {
  const proto = new MessageWriter();
  for (const input of inputs) proto.string(1, input);
  for (const output of outputs) proto.string(2, output);
  proto.string(3, name).string(4, type);
  for (const [key, value] of Object.entries(attributes)) proto.message(5, attributeProto(key, value));
  return domain ? proto.string(7, domain) : proto;
}

function attributeProto(name: string, value: OnnxAttribute): MessageWriter {
  const proto = new MessageWriter().string(1, name);
  if (typeof value === 'number') return proto.int(3, value).int(20, 2);
  if (typeof value === 'string') return proto.string(4, value).int(20, 3);
  if ('float' in value) return proto.float(2, value.float).int(20, 1);
  return proto.ints(8, value).int(20, 7);
}

function constantProto(name: string, { dtype, shape, data }: TensorData): MessageWriter {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new MessageWriter().ints(1, shape).int(2, dataTypes[dtype]).string(8, name).bytes(9, bytes);
}

function externalProto(
  name: string,
  { dtype, shape, location, offset, length }: ExternalTensor,
): MessageWriter {
  return new MessageWriter()
    .ints(1, shape)
    .int(2, dataTypes[dtype])
    .string(8, name)
    .message(13, entry('location', location))
    .message(13, entry('offset', `${offset}`))
    .message(13, entry('length', `${length}`))
    .int(14, 1);
}

function valueInfoProto({ name, dtype, shape }: ValueInfo): MessageWriter {
  const dims = new MessageWriter();
  for (const dim of shape)
    dims.message(
      1,
      typeof dim === 'number' ? new MessageWriter().int(1, dim) : new MessageWriter().string(2, dim),
    );
  const tensor = new MessageWriter().int(1, dataTypes[dtype]).message(2, dims);
  return new MessageWriter().string(1, name).message(2, new MessageWriter().message(1, tensor));
}
