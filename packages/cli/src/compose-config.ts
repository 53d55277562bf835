import type { Json } from '@weft/spec';
import { ConfigReader, isText } from './config-reader.js';

/** Where a part of a composition comes from; paths are absolute. */
export interface PartConfig {
  /** Folder whose part is taken, weights included. Without it the part begins with seeded random weights. */
  readonly from?: string | undefined;
  /** Idea, such as `connector-mlp`; that of the folder unless given. */
  readonly id?: string | undefined;
  /** Configuration of the part's factory, over that of the folder. */
  readonly config: Json;
}

/** A model to be put together from parts; paths are absolute. */
export interface ComposeConfig {
  readonly name: string;
  readonly encoder: PartConfig;
  readonly connector: PartConfig;
  readonly backbone: PartConfig;
  readonly fusion: PartConfig;
  /** Folder of tokenizer and chat template; that of the backbone unless given. */
  readonly tokenizer: string;
  /** `preprocessor_config.json`; that of the encoder's folder unless given. */
  readonly preprocessor?: Json | undefined;
  readonly placeholder: string;
}

/** @throws ConfigError naming the field that is missing, wrong or unknown */
export function readCompose(reader: ConfigReader, toPath: (given: string) => string): ComposeConfig {
  const isObject = (value: unknown): value is Json =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const part = (key: string, fallback?: string): PartConfig => {
    if (fallback !== undefined && !reader.has(key)) return { id: fallback, config: {} };
    const own = reader.object(key);
    const from = own.optional('from', isText, 'a checkpoint folder');
    const id = own.optional('id', isText, 'a part such as connector-mlp');
    if (from === undefined && id === undefined)
      own.fail(
        'from',
        'is missing, and so is id.',
        'Write { "from": FOLDER } for a part with its weights, or { "id": "connector-mlp", "config": {} } for a new one.',
      );
    const config = own.optional('config', isObject, 'an object') ?? {};
    own.done();
    return {
      ...(from === undefined ? {} : { from: toPath(from) }),
      ...(id === undefined ? {} : { id }),
      config,
    };
  };
  const [encoder, connector, backbone, fusion] = [
    part('encoder'),
    part('connector', 'connector-mlp'),
    part('backbone'),
    part('fusion', 'fusion-unified'),
  ];
  const tokenizer = reader.optional('tokenizer', isText, 'a folder with tokenizer.json');
  if (tokenizer === undefined && backbone.from === undefined)
    reader.fail('tokenizer', 'is missing.', 'A new backbone has no tokenizer: name a folder that has one.');
  const result: ComposeConfig = {
    name: reader.optional('name', isText, 'a name') ?? 'composed',
    encoder,
    connector,
    backbone,
    fusion,
    tokenizer: tokenizer === undefined ? backbone.from! : toPath(tokenizer),
    preprocessor: reader.optional('preprocessor', isObject, 'the content of a preprocessor_config.json'),
    placeholder: reader.optional('imageToken', isText, 'a token such as <image>') ?? '<image>',
  };
  reader.done();
  return result;
}
