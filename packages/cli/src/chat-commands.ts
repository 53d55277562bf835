/** What a line may be besides a message. */
export const commandsText =
  '/image PATH shows a picture with the next message, /reset starts over, /exit ends.';
