import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function jobsEditCommand(): Command {
  return new Command('edit')
    .description(
      'Change the definition of a job in your editor ($VISUAL, else $EDITOR, else vi). It is checked when you save it; with a mistake in it the editor opens again and shows the mistake. Nothing is written when nothing changed, or when somebody else changed the job meanwhile.',
    )
    .argument('<job>', 'the name of a job, be it broken')
    .addHelpText(
      'after',
      examples([
        ['etcron jobs edit backup', ''],
        ['EDITOR="code --wait" etcron jobs edit backup', 'in an editor that has to be waited for'],
      ]),
    )
    .action(async (job: string, _options: unknown, command: Command) => {
      const { editJob } = await import('../jobs/edit-job.js');
      await editJob(contextOf(command), job);
    });
}
