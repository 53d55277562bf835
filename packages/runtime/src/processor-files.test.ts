import { ConfigError, NoticeList } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { processorFilesOf, type ProcessorFiles } from './processor-files.js';

const none: ProcessorFiles = {
  config: {},
  processor: undefined,
  preprocessor: undefined,
  video: undefined,
  tokenizer: undefined,
};

/** What counts, and the places that are told of. */
function found(given: Partial<ProcessorFiles>) {
  const notices = new NoticeList();
  const result = processorFilesOf({ ...none, ...given }, notices.take);
  return { ...result, told: notices.all.map(({ where, message }) => `${where}: ${message}`) };
}

describe('the files of a processor', () => {
  it('are read nested first, of pictures and of videos, and the file of pictures for videos last', () => {
    const [a, b, c, d] = [{ size: 1 }, { size: 2 }, { size: 3 }, { size: 4 }];
    const all = found({
      processor: { image_processor: a, video_processor: b, patch_size: 7, chat_template: 'x' },
      preprocessor: c,
      video: d,
    });
    expect(all).toMatchObject({
      preprocessor: a,
      videoPreprocessor: b,
      origin: {
        image: 'processor_config.json: image_processor',
        video: 'processor_config.json: video_processor',
        processor: { patch_size: 7 },
      },
    });
    expect(all.told).toEqual([
      'preprocessor_config.json: It is not read: processor_config.json: image_processor goes before it, and differs in size.',
      'video_preprocessor_config.json: It is not read: processor_config.json: video_processor goes before it, and differs in size.',
    ]);
    expect(found({ processor: { image_processor: null, patch_size: 7 }, preprocessor: c })).toMatchObject({
      preprocessor: c,
      videoPreprocessor: c,
      origin: { image: 'preprocessor_config.json', video: 'preprocessor_config.json' },
      told: [],
    });
    expect(found({ video: d, preprocessor: c })).toMatchObject({
      preprocessor: c,
      videoPreprocessor: d,
      told: [],
    });
    expect(found({})).toMatchObject({ preprocessor: {}, origin: { image: null, processor: null }, told: [] });
  });

  it('are not told of where they say the same, whoever wrote them', () => {
    const { told } = found({
      processor: { image_processor: { size: { height: 2, width: 2 }, resample: 3 } },
      preprocessor: { resample: 3, size: { height: 2, width: 2 }, processor_class: 'LlavaProcessor' },
    });
    expect(told).toEqual([]);
  });

  it.each([[5], ['CLIPImageProcessor'], [[{}]]])(
    'refuse a section that is no object: %j',
    (image_processor) => {
      expect(() => found({ processor: { image_processor }, preprocessor: {} })).toThrow(ConfigError);
      expect(() => found({ processor: { image_processor } })).toThrow(
        /processor_config\.json: image_processor is/,
      );
    },
  );

  it('name the class of the processor in the order of transformers', () => {
    const named = (processor_class: string) => ({ processor_class });
    const classOf = (given: Partial<ProcessorFiles>) => found(given).origin?.processorClass;
    expect(
      classOf({ processor: named('A'), preprocessor: named('B'), tokenizer: named('C'), config: named('D') }),
    ).toEqual({ name: 'A', place: 'processor_config.json' });
    expect(classOf({ processor: {}, preprocessor: named('B'), tokenizer: named('C') })?.name).toBe('B');
    // The nested section is looked into where there is an older file.
    const nested = { image_processor: named('N') };
    expect(classOf({ processor: nested, preprocessor: named('B') })?.name).toBe('N');
    expect(classOf({ processor: nested, tokenizer: named('C') })?.name).toBe('C');
    expect(classOf({ video: named('V'), tokenizer: named('C') })?.name).toBe('V');
    expect(classOf({ config: named('D') })).toEqual({ name: 'D', place: 'config.json' });
    expect(classOf({})).toBeUndefined();
    expect(() => classOf({ tokenizer: { processor_class: 4 } })).toThrow(
      /tokenizer_config\.json: processor_class is 4/,
    );
  });

  it('name the token of pictures by the tokenizer first', () => {
    const tokenOf = (given: Partial<ProcessorFiles>) => found(given).origin?.imageToken?.name;
    expect(tokenOf({ tokenizer: { image_token: '<a>' }, processor: { image_token: '<b>' } })).toBe('<a>');
    expect(tokenOf({ tokenizer: { extra_special_tokens: { image_token: '<c>' } } })).toBe('<c>');
    expect(tokenOf({ tokenizer: {}, processor: { image_token: '<b>' } })).toBe('<b>');
    expect(tokenOf({ tokenizer: { extra_special_tokens: ['<c>'] } })).toBeUndefined();
  });
});
