// Before anything is drawn: the colours that were chosen the last time, else those of the system.
(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const chosen = () => {
        try {
            return localStorage.getItem('board.theme');
        } catch {
            return null;
        }
    };
    const show = () => {
        document.documentElement.dataset.theme = chosen() ?? (system.matches ? 'dark' : 'light');
    };
    system.addEventListener('change', show);
    show();
})();
