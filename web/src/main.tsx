import { render } from 'preact';
import { startTicking } from './live/now.js';
import { loadSession } from './live/session.js';
import { App } from './shell/app.js';
import './styles/variables.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/shell.css';
import './styles/pages.css';
import { followTheme } from './ui/theme.js';

followTheme();
startTicking();
void loadSession();
render(<App />, document.getElementById('app')!);
