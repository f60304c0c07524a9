import type { LocalProblem, PathSegment } from './problem.js';
import { quote } from './printable.js';
import type { JobDefinition } from './schema.js';
import { parseTemplate } from './template.js';

/** A text of a definition that is a template. */
interface TemplateText {
  readonly path: readonly PathSegment[];
  readonly text: string;
  /** A secret may stand in it. */
  readonly takesSecrets: boolean;
}

/** What is wrong with the templates of a definition. Paths are those of the definition. */
export function templateProblems(definition: JobDefinition): LocalProblem[] {
  const secrets = Object.keys(definition.secrets ?? {});
  const found = templatesOf(definition).flatMap(({ path, text, takesSecrets }) => {
    const parsed = parseTemplate(text, takesSecrets ? secrets : null);
    if (parsed.ok) return [];
    return parsed.problems.map(({ message, hint }) => invalid(path, message, hint));
  });
  return found.length > 0 ? found : urlProblems(definition, secrets);
}

function templatesOf(definition: JobDefinition): TemplateText[] {
  const { command, env = {}, stdin, http } = definition;
  const texts: TemplateText[] = [];
  const add = (path: readonly PathSegment[], text: string | undefined, takesSecrets = false): void => {
    if (text !== undefined) texts.push({ path, text, takesSecrets });
  };
  if (typeof command === 'string') add(['command'], command);
  else command?.forEach((part, index) => add(['command', index], part));
  for (const [name, value] of Object.entries(env)) add(['env', name], value);
  add(['stdin'], stdin);
  if (typeof http === 'string') add(['http'], http, true);
  else if (http !== undefined) {
    add(['http', 'url'], http.url, true);
    for (const [name, value] of Object.entries(http.headers ?? {}))
      add(['http', 'headers', name], value, true);
    add(['http', 'body'], http.body, true);
  }
  return texts;
}

/** Whether the URL is one once its templates, whose values are percent-encoded, are filled in. */
function urlProblems({ http }: JobDefinition, secrets: readonly string[]): LocalProblem[] {
  if (http === undefined) return [];
  const [path, url] = typeof http === 'string' ? [['http'], http] : [['http', 'url'], http.url];
  const parsed = parseTemplate(url, secrets);
  if (!parsed.ok) return [];
  const filled = parsed.parts.map((part) => (part.kind === 'text' ? part.text : 'x')).join('');
  return URL.canParse(filled) ? [] : [invalid(path, `is not a URL: ${quote(url)}`)];
}

function invalid(path: readonly PathSegment[], message: string, hint?: string): LocalProblem {
  return { code: 'ETCRON_JOB_INVALID', path, message, ...(hint === undefined ? {} : { hint }) };
}
