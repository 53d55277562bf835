// Asks a model what is in a picture: node dist/main.js [PICTURE] [QUESTION] [MODEL FOLDER]
import { fileURLToPath } from 'node:url';
import { load } from '@weft/runtime';
import { tinyFolder } from '@weft/tiny';

const shapes = fileURLToPath(new URL('../../assets/shapes.png', import.meta.url));
const [picture = shapes, question = 'Describe the picture.', folder = tinyFolder()] = process.argv.slice(2);

const model = await load(folder);
const result = await model
  .generate({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image', image: picture },
          { type: 'text', text: question },
        ],
      },
    ],
  })
  .result();
console.log(result.text);
console.log(
  `${result.promptTokens} prompt tokens, ${result.imageTokens} of them image; ${result.generatedTokens} generated`,
);
await model.close();
