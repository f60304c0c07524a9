import { createServer, type AddressInfo, type Server } from 'node:net';
import { TcpPath, type TcpPathOptions } from './tcp-path.js';

/** A loopback port that stands in front of a server; the path behind it can fail in every way that `TcpPath` knows. */
export class TcpLink extends TcpPath {
  private constructor(
    private readonly server: Server,
    options: TcpPathOptions,
  ) {
    super(options);
  }

  /** Without a target (`host:port`) it accepts connections and never answers. */
  static async start(target?: string, options: TcpPathOptions = {}): Promise<TcpLink> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    const link = new TcpLink(server, options);
    server.on('connection', (socket) => link.carry(socket, target));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return link;
  }

  /** `host:port`; the same until it stops, whatever state it is in. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.breakAll();
    await closed;
  }
}
