/** What a line may be beside a message. */
export const commandsText =
  '/image PATH shows a picture with the next message, /reset begins anew, /exit ends.';
