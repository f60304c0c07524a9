/** Light or dark: the viewer's choice, kept in this browser, else the system's. */
import { signal } from '@preact/signals';
import { stored } from './stored.js';

export type ThemeChoice = 'system' | 'light' | 'dark';

export const themeChoice = stored<ThemeChoice>('theme', 'system', (value) =>
  value === 'light' || value === 'dark' ? value : 'system',
);

/** What is shown at present. */
export const theme = signal<'light' | 'dark'>('light');

/** Call once, before anything is drawn. */
export function followTheme(): void {
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const apply = (): void => {
    const dark = themeChoice.value === 'dark' || (themeChoice.value === 'system' && system.matches);
    theme.value = dark ? 'dark' : 'light';
    document.documentElement.dataset.theme = theme.value;
  };
  system.addEventListener('change', apply);
  themeChoice.subscribe(apply);
}
