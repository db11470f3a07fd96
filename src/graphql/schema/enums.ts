// Converts a list of words of model/ into GraphQL enum values with descriptions.

/** The values of an enum type. Each word must have a description, or the call does not compile. */
export function enumValues<const Word extends string>(
  words: readonly Word[],
  descriptions: { [Key in Word]: string },
) {
  return Object.fromEntries(words.map((word) => [word, { description: descriptions[word] }])) as {
    [Key in Word]: { description: string };
  };
}
