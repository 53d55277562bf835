import type { QuestionKind } from './question-kinds.js';
import type { Random } from './random.js';

const countings = [
  'How many {things} are there?',
  'How many {things} do you see?',
  'How many {things} can you see?',
  'How many {things} are in the picture?',
  'How many {things} are there in the picture?',
  'How many {things} are shown?',
  'How many {things} does the picture have?',
  'How many {things} are visible?',
  'How many {things}?',
  'Count the {things}.',
  'Please count the {things}.',
  'Count all the {things} in the picture.',
  'What is the number of {things}?',
  'Tell me how many {things} there are.',
];

/** Wordings of each kind; the first is the plain one. `{…}` is a slot. */
const templates: Readonly<Record<QuestionKind, readonly string[]>> = {
  'count-shape': countings,
  'count-color': countings,
  'count-objects': [
    ...countings,
    'How many {things} are there in total?',
    'How many {things} are there in all?',
  ],
  color: [
    'What color is the {thing}?',
    'Which color is the {thing}?',
    'What is the color of the {thing}?',
    'Which color does the {thing} have?',
    'What color does the {thing} have?',
    'What color is the {thing} in the picture?',
    'Tell me the color of the {thing}.',
    'Name the color of the {thing}.',
    'The {thing} is what color?',
    'What color of {thing} is there?',
  ],
  size: [
    'What size is the {thing}?',
    'Which size is the {thing}?',
    'What is the size of the {thing}?',
    'Which size does the {thing} have?',
    'What size does the {thing} have?',
    'How big is the {thing}?',
    'How large is the {thing}?',
    'Is the {thing} small or large?',
    'Is the {thing} large or small?',
    'Tell me the size of the {thing}.',
  ],
  exists: [
    'Is there {a thing}?',
    'Is there {a thing} in the picture?',
    'Do you see {a thing}?',
    'Can you see {a thing}?',
    'Are there any {things}?',
    'Are there any {things} in the picture?',
    'Do you see any {things}?',
    'Does the picture show {a thing}?',
    'Does the picture have {a thing}?',
    'Does the picture contain {a thing}?',
    'Is {a thing} in the picture?',
    'Is {a thing} there?',
  ],
  relation: [
    'Is the {thing} {relation} the {other}?',
    'Is the {thing} {relation} the {other} in the picture?',
    'Does the {thing} lie {relation} the {other}?',
    'Do you see the {thing} {relation} the {other}?',
    'Would you say the {thing} is {relation} the {other}?',
    'Is the {thing} located {relation} the {other}?',
  ],
  box: [
    'Where is the {thing}?',
    'Where is the {thing} in the picture?',
    'Where is the {thing} located?',
    'Where can you see the {thing}?',
    'Where do you see the {thing}?',
    'Locate the {thing}.',
    'Find the {thing}.',
    'Show me where the {thing} is.',
    'Tell me where the {thing} is.',
    'What is the box of the {thing}?',
    'What is the bounding box of the {thing}?',
    'Give the bounding box of the {thing}.',
    'Give the position of the {thing}.',
    'What is the position of the {thing}?',
  ],
  read: [
    'Read the number.',
    'Please read the number.',
    'Read the number in the picture.',
    'Read the printed number.',
    'What is the number?',
    'What number is it?',
    'What number is shown?',
    'What number is printed?',
    'What number is written?',
    'What number is in the picture?',
    'What number do you see?',
    'What number can you see?',
    'Which number is shown?',
    'Which number is printed?',
    'Which number do you see?',
    'What is the number in the picture?',
    'What does the number say?',
    'Can you read the number?',
    'Tell me the number.',
  ],
  describe: [
    'Describe the picture.',
    'Describe this picture.',
    'Please describe the picture.',
    'Describe what you see.',
    'Describe what is in the picture.',
    'What is in the picture?',
    'What is in this picture?',
    'What do you see?',
    'What do you see in the picture?',
    'What can you see?',
    'What does the picture show?',
    'What is shown in the picture?',
    'Tell me what you see.',
    'Tell me what is in the picture.',
    'Can you describe the picture?',
  ],
  'describe-boxes': ['Describe the picture with positions.'],
};

const relations: Readonly<Record<string, readonly string[]>> = {
  left: ['left of', 'to the left of', 'on the left of'],
  right: ['right of', 'to the right of', 'on the right of'],
  above: ['above', 'over', 'higher than'],
  below: ['below', 'under', 'lower than'],
};

const fill = (template: string, slots: Readonly<Record<string, string>>): string =>
  template.replace(/\{([^}]+)\}/g, (_, slot: string) => slots[slot] as string);

/** Capitals, question mark and a word for politeness as people type them. */
const loosen = (question: string, random: Random): string => {
  let out = question;
  if (random.chance(0.5)) out = out.replace(/picture/g, 'image');
  if (random.chance(0.4)) out = out.replace(/color/g, 'colour');
  if (random.chance(0.05) && !/please/i.test(out)) out = out.replace(/([?.])$/, ' please$1');
  if (random.chance(0.3)) out = out.replace(/[?.]$/, '');
  else if (random.chance(0.05)) out = out.replace(/\.$/, '!');
  const style = random.weighted([0.55, 0.37, 0.08]);
  return style === 0 ? out : style === 1 ? out.toLowerCase() : out.toUpperCase();
};

/**
 * Words a question.
 *
 * @param slots - `thing`, `things`, `a thing`, `other`, and `relation` (`left`, `right`, `above`, `below`), as the kind needs.
 * @param variety - Probability of another wording than the plain one, `0` to `1`.
 */
export const phrase = (
  kind: QuestionKind,
  slots: Readonly<Record<string, string>>,
  random: Random,
  variety: number,
): string => {
  const varied = random.chance(variety);
  const wordings = templates[kind];
  const template = varied && random.chance(0.8) ? random.pick(wordings) : (wordings[0] as string);
  const ways = relations[slots['relation'] ?? ''];
  const relation = ways && (varied && random.chance(0.6) ? random.pick(ways) : (ways[0] as string));
  const question = fill(template, relation ? { ...slots, relation } : slots);
  return varied ? loosen(question, random) : question;
};
