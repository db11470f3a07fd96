// Turns a list of words from model/ into GraphQL enum values, each with its description.

/** Does not compile until every word has a description. */
export function enumValues<const Word extends string>(
  words: readonly Word[],
  descriptions: { [Key in Word]: string },
) {
  return Object.fromEntries(words.map((word) => [word, { description: descriptions[word] }])) as {
    [Key in Word]: { description: string };
  };
}
