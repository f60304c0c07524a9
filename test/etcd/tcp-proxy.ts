/** A TCP proxy on a loopback port, which a test can cut or silence without touching the server behind it. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

type Mode = 'forward' | 'refuse' | 'silent';

export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private readonly upstreams = new Set<Socket>();
  private mode: Mode = 'forward';

  private constructor(private readonly server: Server) {}

  /** Without a target it accepts connections and never answers. */
  static async start(target?: string): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    if (target === undefined) proxy.mode = 'silent';
    server.on('connection', (socket) => proxy.accept(socket, target));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Breaks all connections, and each new one as soon as it is made. */
  cut(): void {
    this.mode = 'refuse';
    this.breakAll();
  }

  /** Leaves connections open and lets nothing pass in either direction any more. */
  silence(): void {
    this.mode = 'silent';
    for (const socket of this.sockets) socket.pause().unpipe();
  }

  /** Requests still reach the server; its answers are thrown away. */
  swallowAnswers(): void {
    for (const upstream of this.upstreams) upstream.unpipe().resume();
  }

  heal(): void {
    this.mode = 'forward';
  }

  async stop(): Promise<void> {
    this.breakAll();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(socket: Socket, target: string | undefined): void {
    this.keep(socket);
    if (this.mode === 'refuse') socket.destroy();
    if (this.mode !== 'forward' || target === undefined) return;
    const { hostname, port } = new URL(`tcp://${target}`);
    const upstream = connect(Number(port), hostname);
    this.keep(upstream);
    this.upstreams.add(upstream);
    upstream.on('close', () => this.upstreams.delete(upstream));
    socket.pipe(upstream).pipe(socket);
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }

  private breakAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
