// The scripts of package.json as processes of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export type Finished = { code: number | null; stdout: string; stderr: string };

/** Runs an npm script to its end, with these variables. */
export async function runScript(
  name: string,
  args: string[] = [],
  variables: Record<string, string> = {},
): Promise<Finished> {
  return runCommand('npm run --silent', [name, '--', ...args], variables);
}

/**
 * Runs a command of packages to its end: words, as a script of package.json has them, and more arguments. In the
 * repository, or in a copy of it.
 */
export async function runCommand(
  command: string,
  more: string[],
  variables: Record<string, string>,
  cwd = ROOT,
): Promise<Finished> {
  const [file, ...args] = command.split(' ');
  const { child, output } = start(file!, [...args, ...more], variables, cwd);
  const [code] = await once(child, 'close');
  return { code, ...output };
}

/** A server that listens. `stop` sends SIGTERM and gives the exit code; `kill` leaves it no time. */
export type RunningServer = Finished & {
  url: string;
  child: ChildProcess;
  stop(): Promise<number | null>;
  kill(): Promise<void>;
};

/**
 * Starts the server on a free port and waits until it says where it answers; rejects with its output if it ends. Runs
 * what `npm start` runs, without npm, whose own exit code would hide the server's.
 */
export async function startServer(variables: Record<string, string>, cwd = ROOT): Promise<RunningServer> {
  const [command, ...args] = packageJson().scripts.start.split(' ');
  const { child, output } = start(command!, args, { PORT: '0', ...variables }, cwd);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      // The last line that a start prints shows a query to try.
      const found = /Coterie answers at (\S+)\/graphql[\s\S]*-d '/.exec(output.stdout);
      if (found) resolve(found[1]!);
    });
    child.once('close', (code) => reject(new Error(`ended with ${code}\n${output.stdout}${output.stderr}`)));
  });
  const closed = once(child, 'close');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return (await closed)[0] as number | null;
  };
  return {
    url,
    child,
    code: null,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
  };
}

const packageJson = () =>
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };

function start(command: string, args: string[], variables: Record<string, string>, cwd: string) {
  const PATH = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH, NODE_ENV: '', ...variables };
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  return { child, output };
}
