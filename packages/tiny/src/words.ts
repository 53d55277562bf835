/**
 * Words of the world: those of its answers and of the questions it asks. Others become `<unk>`, which training also
 * shows, so that a strange word in a question does no harm.
 */
export const words: readonly string[] = [
  'a', 'above', 'all', 'an', 'and', 'any', 'are', 'below', 'big', 'blue', 'bounding', 'box', 'can', 'circle',
  'circles', 'color', 'colour', 'contain', 'count', 'describe', 'do', 'does', 'find', 'give', 'green', 'have',
  'higher', 'how', 'image', 'in', 'is', 'it', 'large', 'left', 'lie', 'locate', 'located', 'lower', 'many',
  'me', 'name', 'no', 'none', 'number', 'objects', 'of', 'on', 'or', 'orange', 'over', 'picture', 'please',
  'position', 'positions', 'printed', 'purple', 'read', 'red', 'right', 'say', 'see', 'shapes', 'show',
  'shown', 'size', 'small', 'square', 'squares', 'star', 'stars', 'tell', 'than', 'the', 'there', 'things',
  'this', 'to', 'total', 'triangle', 'triangles', 'under', 'visible', 'what', 'where', 'which', 'with',
  'would', 'written', 'yellow', 'yes', 'you',
];
