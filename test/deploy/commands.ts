/** Commands of etcron that documents name, against the command line that there is. */
import type { Command, Option } from 'commander';
import { createProgram } from '../../src/cli/program.js';
import { processEnvironment } from '../../src/cli/environment.js';

const program = createProgram(processEnvironment());

/** In `code` and in blocks of sh, without what follows a comment, a pipe or an `&&`. */
export function commandsIn(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  const rest = markdown.replace(/```[\s\S]*?```/g, '');
  const lines = blocks.flatMap((block) => block.split('\n'));
  const inline = [...rest.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...inline, ...lines]
    .map((text) => text.replace(/\s(#|\||&&|>).*$/, '').trim())
    .filter((text) => /^etcron [a-z]/.test(text));
}

/** What is not there of a command; an empty list for one that could be called so. */
export function commandProblems(text: string): string[] {
  const [, ...words] = text.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  let command: Command = program;
  const problems: string[] = [];
  let sawArgument = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (word.startsWith('-')) {
      const option = findOption(command, word.replace(/=.*$/, ''));
      if (option === undefined) problems.push(`${text}: there is no ${word}`);
      else if ((option.required || option.optional) && !word.includes('=')) index += 1;
    } else if (!sawArgument) {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (next !== undefined) command = next;
      else {
        sawArgument = true;
        const isGroup = command.commands.length > 0;
        if (isGroup || command.registeredArguments.length === 0)
          problems.push(`${text}: there is no ${word}`);
      }
    }
  }
  return problems;
}

function findOption(command: Command | null, flag: string): Option | undefined {
  if (command === null) return undefined;
  return (
    command.options.find(({ long, short }) => long === flag || short === flag) ??
    findOption(command.parent, flag)
  );
}
